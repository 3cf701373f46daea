"""The input of the follower: files that the stages write anyway."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from pipeline.workspace import MemberPaths

SCORE_COLUMNS = ("weight", "CV", "OOF", "nested", "LB")
"""Columns of the scorecard that are shown."""


@dataclass(frozen=True)
class TrackedRow:
    """The values logged at a step; `text` distinguishes rows of different trainings."""

    step: int
    text: str
    values: Mapping[str, float]


class RowSource(Protocol):
    """The rows of one run, as far as they are written."""

    @property
    def name(self) -> str: ...

    @property
    def settings(self) -> Mapping[str, str]: ...

    def rows(self, logged: Sequence[str]) -> list[TrackedRow]:
        """All rows from the first on; logged: the texts of those that were logged before."""

    def is_over(self) -> bool:
        """True if no further row is expected soon, so that the run can be closed."""


@dataclass(frozen=True)
class MemberSource:
    """The epochs of one member; the metric's column is called by its name."""

    name: str
    paths: MemberPaths
    metric: str
    settings: Mapping[str, str] = field(default_factory=dict)

    def rows(self, logged: Sequence[str]) -> list[TrackedRow]:
        try:
            with self.paths.history.open(newline="", encoding="utf-8") as file:
                return [self._row(each) for each in csv.DictReader(file)]
        except (OSError, ValueError, KeyError, TypeError):
            return []  # not there yet, or damaged, which the stages see and make again

    def _row(self, cells: Mapping[str, str]) -> TrackedRow:
        values = {name: float(cell) for name, cell in cells.items() if name != "epoch" and cell}
        if "score" in values:  # not every epoch is scored
            values[self.metric] = values.pop("score")
        return TrackedRow(int(cells["epoch"]), ",".join(cells.values()), values)

    def is_over(self) -> bool:
        """The manifest is written after the last epoch."""
        try:
            ended = self.paths.manifest.stat().st_mtime_ns
            return ended >= self.paths.history.stat().st_mtime_ns
        except OSError:
            return False


@dataclass(frozen=True)
class ScorecardSource:
    """Every scorecard that was written, as a step of its own."""

    table: Path
    name: str = "scorecard"
    settings: Mapping[str, str] = field(default_factory=dict)

    def rows(self, logged: Sequence[str]) -> list[TrackedRow]:
        before = [TrackedRow(step, text, {}) for step, text in enumerate(logged, start=1)]
        try:
            data = self.table.read_bytes()
            values = self._values(data.decode())
        except (OSError, ValueError, KeyError):
            return before
        digest = hashlib.sha256(data).hexdigest()
        if logged and logged[-1] == digest:
            return before
        return [*before, TrackedRow(len(logged) + 1, digest, values)]

    def _values(self, text: str) -> dict[str, float]:
        return {
            f"{line['model']}/{column}": float(line[column])
            for line in csv.DictReader(text.splitlines())
            for column in SCORE_COLUMNS
            if line.get(column)
        }

    def is_over(self) -> bool:
        return True
