"""The worker processes of a stage, one for each device, and their jobs."""

from __future__ import annotations

import gc
import os
import signal
import sys
import time
from collections import deque
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from pipeline.cores import computing_threads
from pipeline.errors import ArtefactError, InterruptedRunError, MaskmillError
from pipeline.execution.devices import Machine, inside, is_cuda
from pipeline.execution.jobs import WAITS, Job, JobContext, Outcome, run_job
from pipeline.execution.workers import Worker, how_it_ended, worker_of
from pipeline.interruption import send, worker_flag
from pipeline.locks import hold, is_free, owner
from pipeline.reporting import JobProgress
from pipeline.workspace import Workspace

TICK_S = 0.1  # between looks at the stop flag and at devices that others hold
LEFT_BYTES = 256 * 2**20  # on a GPU after a job: libraries' workspaces; more is a leak


class Crew:
    """The worker processes of a stage and their jobs; at most one job for each device."""

    def __init__(self, machine: Machine, cores: int, workspace: Workspace) -> None:
        self._machine, self._cores, self._workspace = machine, cores, workspace
        self._locks = machine.locks(workspace)
        self._workers: dict[int, Worker] = {}
        self._signalled: set[int] = set()
        self._note: JobProgress | None = None
        self.running: dict[Future[Outcome], tuple[int, Job]] = {}

    def __enter__(self) -> Crew:
        return self

    def __exit__(self, *error: object) -> None:
        """Give the GPUs back; other processes stay warm for the next stage, unless all fails."""
        self._say_waiting(None)
        for slot, worker in self._workers.items():
            told = not self._signalled.isdisjoint(worker.pids)  # its flag stays up
            if self.running or told or is_cuda(self._machine.devices[slot]):
                worker.retire()

    def pids(self) -> list[int]:
        return [pid for worker in self._workers.values() for pid in worker.pids]

    def begin(self, waiting: deque[Job]) -> None:
        """Give a job to every device that nobody uses."""
        busy = {slot for slot, _ in self.running.values()}
        for slot, lock in enumerate(self._locks):
            if waiting and slot not in busy and is_free(lock):
                self._say_waiting(None)
                self._begin(slot, waiting.popleft())
        if waiting and not self.running:
            self._say_waiting(waiting[0])

    def _begin(self, slot: int, job: Job) -> None:
        device = self._machine.devices[slot]
        if slot not in self._workers:
            self._workers[slot] = worker_of(device, slot, self._cores)
        task = (job, inside(device), self._locks[slot], self._workspace.progress, self._cores)
        future = self._workers[slot].begin(_run_apart, *task, os.getpid())
        self.running[future] = (slot, job)

    def signal_stop(self) -> None:
        """Pass the signal on, once to each process, also to one that took another's place."""
        new = set(self.pids()) - self._signalled
        send(signal.SIGTERM, new)
        self._signalled |= new

    def ended(self) -> list[tuple[Job, Outcome]]:
        """The jobs that ended within a tick."""
        if not self.running:
            time.sleep(TICK_S)
        done, _ = wait(self.running, timeout=TICK_S, return_when=FIRST_COMPLETED)
        return [self._end(future) for future in done]

    def _end(self, future: Future[Outcome]) -> tuple[Job, Outcome]:
        slot, job = self.running.pop(future)
        death = how_it_ended(future)
        if death:
            outcome = Outcome(job.name, fault=death)
        elif future.exception() is not None:  # what cannot be sent, say
            outcome = Outcome(job.name, error=MaskmillError(f"{job.name}: {future.exception()!r}"))
        else:
            outcome = future.result()
        stopped = isinstance(outcome.error, InterruptedRunError)  # and its flag stays up
        if outcome.fault or outcome.leaks or stopped:
            self._workers[slot].retire()
            JobProgress(self._workspace.progress, job.name).__exit__()
        return job, outcome

    def _say_waiting(self, job: Job | None) -> None:
        """Show that `job` waits for a device; None: that none does."""
        if self._note is not None:
            self._note.__exit__()
        self._note = None if job is None else JobProgress(self._workspace.progress, job.name)
        if self._note is not None:
            owners = sorted({owner(lock) for lock in self._locks})
            self._note.update(0, 0, WAITS.format(", ".join(owners)))


def _run_apart(
    job: Job, device: str, lock: Path, progress_folder: Path, cores: int, parent: int
) -> Outcome:
    """In a process of its own, whose environment says how many threads torch takes."""
    import cv2

    cv2.setNumThreads(computing_threads(cores))
    stop = worker_flag(parent)
    with ExitStack() as lease:
        try:
            lease.enter_context(hold(lock, patience_s=0))
        except ArtefactError:
            return Outcome(job.name, taken=True)
        with JobProgress(progress_folder, job.name) as progress:
            outcome = run_job(job, JobContext(device, progress, stop, cores))
        return replace(outcome, leaks=_left_on_gpu() > LEFT_BYTES and not outcome.fault)


def _left_on_gpu() -> int:
    """Bytes that stay allocated after freeing everything possible."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_initialized():
        return 0
    gc.collect()
    torch.cuda.empty_cache()
    return int(torch.cuda.memory_allocated())
