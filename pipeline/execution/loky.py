"""The engine of one machine: one job for each device at a time.

A process runs on each device. Before a job begins it leases its device, so that several `make` at
once do not put two jobs on one either. When a process dies (OOM killer, segfault) or its GPU fails
it, its job is named and run again in a new one, from its saved state; other jobs continue.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress

from pipeline.cores import computing_threads
from pipeline.errors import InterruptedRunError
from pipeline.execution.attempts import run_apart
from pipeline.execution.crew import Crew
from pipeline.execution.devices import Machine, is_cuda
from pipeline.execution.jobs import WAITS, Job, JobContext, Outcome, run_job
from pipeline.interruption import StopFlag
from pipeline.locks import hold_one_of
from pipeline.reporting import JobProgress, Reporter
from pipeline.workspace import Workspace


class Loky:
    """An Engine of processes that joblib's loky keeps."""

    def __init__(
        self, machine: Machine, cores: int, workspace: Workspace, reporter: Reporter
    ) -> None:
        self._machine, self._cores = machine, cores
        self._workspace, self._reporter = workspace, reporter
        self._crew = Crew(machine, cores, workspace)

    @property
    def slots(self) -> int:
        return len(self._machine.devices)

    def pids(self) -> list[int]:
        return self._crew.pids()

    def run(self, jobs: Sequence[Job], stop: StopFlag) -> Iterator[Outcome]:
        alone = min(self.slots, len(jobs)) == 1 and not is_cuda(self._machine.devices[0])
        return self._inline(jobs, stop) if alone else self._apart(jobs, stop)

    def _inline(self, jobs: Sequence[Job], stop: StopFlag) -> Iterator[Outcome]:
        """Every job's outcome, from this process: one CPU slot needs no other."""
        import cv2
        import torch

        threads = computing_threads(self._cores)
        torch.set_num_threads(threads)
        cv2.setNumThreads(threads)  # its own pool would take every core for every job
        locks = self._machine.locks(self._workspace)
        for job in jobs:
            with JobProgress(self._workspace.progress, job.name) as progress:

                def waiting(owners: str, progress: JobProgress = progress) -> None:
                    stop.check()
                    progress.update(0, 0, WAITS.format(owners))

                with suppress(InterruptedRunError), hold_one_of(locks, waiting=waiting) as slot:
                    stop.check()
                    device = self._machine.devices[slot]
                    yield run_job(job, JobContext(device, progress, stop, self._cores))
            if stop:
                return

    def _apart(self, jobs: Sequence[Job], stop: StopFlag) -> Iterator[Outcome]:
        """Every job's outcome as it comes, from worker processes that may die."""
        with self._crew as crew:
            yield from run_apart(crew, jobs, stop, self._reporter)
