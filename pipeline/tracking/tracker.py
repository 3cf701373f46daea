"""The interface of tracker adapters, and the run that they show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True)
class TrackedRun:
    """One curve in a tracker: a member's training, or the scorecards of the experiment.

    id: the same as long as the run goes on, also in later processes; folder: for files of the
    tracker; settings: what tells models apart; step: the first step that is logged from here on.
    """

    experiment: str
    name: str
    id: str
    folder: Path
    settings: Mapping[str, str]
    step: int


class Tracker(Protocol):
    """Shows one run. It may be slow, raise or hang: it lives in a thread of the follower."""

    def start(self, run: TrackedRun) -> None:
        """Open the run, or go on with the one that has this id."""

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Take the values of an epoch (or of the n-th scorecard); steps only grow."""

    def finish(self) -> None:
        """Write out everything and close the run."""
