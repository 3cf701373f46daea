"""Feeds one tracker with missing rows."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

from pipeline.errors import ArtefactError
from pipeline.locks import hold
from pipeline.tracking.memory import LoggedRows
from pipeline.tracking.sources import RowSource
from pipeline.tracking.tracker import TrackedRun, Tracker


class Feeder:
    """One tracker and the runs that it has open; folder: for its files and its log of rows."""

    def __init__(
        self,
        make: Callable[[], Tracker],
        experiment: str,
        folder: Path,
        sources: Sequence[RowSource],
    ) -> None:
        self._make, self._experiment, self._folder = make, experiment, folder
        self._sources = sources
        self._logged: dict[str, LoggedRows] = {}
        self._open: dict[str, tuple[str, Tracker]] = {}

    def run(self, ending: threading.Event, poll_s: float) -> None:
        """Feed until `ending`, and once more then; whatever the tracker raises comes out."""
        # two makes of one experiment: one of them feeds, or points would come twice
        with ExitStack() as lease:
            while not self._leased(lease):
                if ending.wait(poll_s):
                    return
            self._until_end(ending, poll_s)

    def _leased(self, lease: ExitStack) -> bool:
        try:
            lease.enter_context(hold(self._folder / ".lock", patience_s=0))
        except ArtefactError:
            return False
        return True

    def _until_end(self, ending: threading.Event, poll_s: float) -> None:
        last = False
        while not last:
            last = ending.wait(poll_s if self._logged else 0)
            for source in self._sources:
                self._feed(source)
        for name in list(self._open):
            self._close(name)

    def _feed(self, source: RowSource) -> None:
        name = source.name
        if name not in self._logged:
            self._logged[name] = LoggedRows(self._folder / f"{name.replace('/', '-')}.json")
        logged = self._logged[name]
        rows = logged.pending(source.rows(logged.texts))
        if rows and name in self._open and self._open[name][0] != logged.id:
            self._close(name)
        for row in rows:
            if name not in self._open:
                self._start(source, logged, row.step)
            self._open[name][1].log(row.step, row.values)
            logged.add(row)
        if name in self._open and source.is_over():
            self._close(name)

    def _start(self, source: RowSource, logged: LoggedRows, step: int) -> None:
        again = "" if logged.number == 1 else f"-{logged.number}"
        run = TrackedRun(
            self._experiment, source.name + again, logged.id, self._folder, source.settings, step
        )
        tracker = self._make()
        tracker.start(run)
        self._open[source.name] = (logged.id, tracker)

    def _close(self, name: str) -> None:
        self._open.pop(name)[1].finish()
