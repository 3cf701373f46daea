"""The seam between a stage and what runs its jobs: processes here, or a cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from pipeline.execution.devices import Machine
from pipeline.execution.jobs import Job, Outcome
from pipeline.interruption import StopFlag
from pipeline.reporting import Reporter
from pipeline.workspace import Workspace


class Engine(Protocol):
    """Runs the jobs of one stage, each once at a time."""

    @property
    def slots(self) -> int:
        """Jobs that run at once."""
        ...

    def pids(self) -> list[int]:
        """The processes on this machine that a second signal ends with this one."""
        ...

    def run(self, jobs: Sequence[Job], stop: StopFlag) -> Iterator[Outcome]:
        """The outcome of every job as it ends; of a lost job its error, so that others go on.

        After a signal running jobs save their state, and no other begins.
        """
        ...


OpenEngine = Callable[[Machine, int, Workspace, Reporter], Engine]
"""The engine of one stage on these slots; the number: the CPU cores of each job."""
