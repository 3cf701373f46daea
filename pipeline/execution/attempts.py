"""Runs jobs in processes that may die: each is begun, and begun again, until it has an outcome."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

from pipeline.errors import ResourceError
from pipeline.execution.jobs import Job, Outcome
from pipeline.interruption import StopFlag
from pipeline.reporting import Reporter

ATTEMPTS = 3
"""So many processes a job may take with it before it is given up."""


class Crew(Protocol):
    """The processes of an engine; it is told to run jobs, and tells what became of them."""

    @property
    def running(self) -> Mapping[Any, Any]:
        """Jobs that have begun and not ended."""
        ...

    def begin(self, waiting: deque[Job]) -> None:
        """Take as many jobs as may begin now out of `waiting`, and begin them."""
        ...

    def signal_stop(self) -> None:
        """Tell running jobs to save their state and end; called again and again."""
        ...

    def ended(self) -> list[tuple[Job, Outcome]]:
        """The jobs that ended within a moment."""
        ...


def run_apart(
    crew: Crew, jobs: Sequence[Job], stop: StopFlag, reporter: Reporter
) -> Iterator[Outcome]:
    """Every job's outcome as it comes; after a signal no other job begins."""
    waiting, crashes = deque(jobs), Counter[str]()
    while (waiting and not stop) or crew.running:
        if stop:
            crew.signal_stop()
        else:
            crew.begin(waiting)
        for job, outcome in crew.ended():
            crashes[job.name] += bool(outcome.fault)
            if outcome.taken:
                waiting.appendleft(job)
            elif not outcome.fault or stop or crashes[job.name] >= ATTEMPTS:
                yield _given_up(outcome, crashes[job.name]) if outcome.fault else outcome
            else:
                waiting.append(job)
                reporter.warn(f"a worker died during {job.name}; run again ({outcome.fault})")


def _given_up(outcome: Outcome, times: int) -> Outcome:
    text = (
        f"{outcome.name}: its worker died {times}× ({outcome.fault}); the next run continues from "
        "the last saved state. If memory is short, set a smaller batch or fewer JOBS"
    )
    return replace(outcome, error=ResourceError(text))
