"""Runs a stage's jobs on the machine's devices: they queue, never share, and outlive a dead worker.

joblib's loky pool holds one process a device. A job leases a free device, so that several `make`
at once do not put two jobs on one either. A worker that dies (OOM killer, segfault) breaks loky's
pool at once; the jobs that were running are named and run again, each going on from its own state.
"""

from __future__ import annotations

import itertools
import os
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import joblib
from joblib.externals.loky.process_executor import TerminatedWorkerError

from pipeline.errors import InterruptedRunError, MaskmillError, ResourceError
from pipeline.interruption import StopFlag, interruptible, worker_flag
from pipeline.locks import hold_one_of
from pipeline.reporting import JobProgress, Reporter, running_jobs
from pipeline.workspace import Workspace

ATTEMPTS = 3


@dataclass(frozen=True)
class Machine:
    """The devices jobs may use, one job each, and the CPU threads of each job."""

    devices: tuple[str, ...]
    threads: int

    @classmethod
    def detect(cls, jobs: int | None = None, devices: Sequence[str] | None = None) -> Machine:
        """All CUDA devices, or as many CPU slots as `jobs` (default: a core each).

        devices: just these instead; ResourceError when one of them does not exist here.
        """
        import torch  # here, not above: seconds that stages without a network need not spend

        cuda = [f"cuda:{number}" for number in range(torch.cuda.device_count())]
        chosen = list(devices) if devices else cuda
        missing = sorted(set(chosen) - {"cpu", *cuda})
        if missing:
            there = ", ".join([*cuda, "cpu"])
            raise ResourceError(f"no device {', '.join(missing)} here; there is {there}")
        cores = len(os.sched_getaffinity(0))
        if not chosen or chosen == ["cpu"]:
            chosen = ["cpu"] * (jobs or cores)
        slots = chosen[:jobs] if jobs else chosen
        return cls(tuple(slots), max(1, cores // len(slots)))


@dataclass(frozen=True)
class JobContext:
    """What a job is given besides its arguments."""

    device: str
    progress: JobProgress
    stop: StopFlag


@dataclass(frozen=True)
class Job:
    """`call(*arguments, context)` under a name; it must be picklable and safe to run again."""

    name: str
    call: Callable[..., Any]
    arguments: tuple[Any, ...]


@dataclass(frozen=True)
class _Outcome:
    name: str
    value: Any = None
    error: MaskmillError | None = None


def run_jobs(
    title: str, jobs: Sequence[Job], machine: Machine, workspace: Workspace, reporter: Reporter
) -> dict[str, Any]:
    """Run all jobs; their values by name.

    A job that fails does not stop the others; afterwards all failures are raised as one error.
    Raises InterruptedRunError after SIGINT or SIGTERM, when running jobs have saved their state.
    """
    outcomes: list[_Outcome] = []
    _clear(workspace.progress)
    watched = reporter.watch(title, workspace.progress, len(jobs))
    with interruptible(forward=True) as stop, watched as advance:
        for outcome in _surviving_crashes(jobs, machine, workspace, reporter, stop):
            outcomes.append(outcome)
            advance(1)
            if isinstance(outcome.error, InterruptedRunError):
                stop.signal_number = stop.signal_number or outcome.error.signal_number
    stop.check()
    _raise_failures(outcomes)
    return {outcome.name: outcome.value for outcome in outcomes}


def _surviving_crashes(
    jobs: Sequence[Job], machine: Machine, workspace: Workspace, reporter: Reporter, stop: StopFlag
) -> Iterator[_Outcome]:
    waiting = {job.name: job for job in jobs}
    crashes: Counter[str] = Counter()
    while waiting and not stop:
        try:
            run = _in_pool if crashes else _outcomes
            for outcome in run(list(waiting.values()), machine, workspace, stop):
                del waiting[outcome.name]
                yield outcome
        except TerminatedWorkerError as death:
            running = [state.name for state in running_jobs(workspace.progress)]
            _clear(workspace.progress)
            crashes.update(running)
            if stop:
                return
            during = f"during {' or '.join(running)}" if running else "before its job began"
            reporter.warn(f"a worker died {during}; run again ({death})")
            for name in [name for name in running if crashes[name] >= ATTEMPTS]:
                del waiting[name]
                yield _Outcome(name, error=ResourceError(f"{name}: its worker died {ATTEMPTS}×"))


def _outcomes(
    jobs: list[Job], machine: Machine, workspace: Workspace, stop: StopFlag
) -> Iterator[_Outcome]:
    """Every job's outcome as it comes; in this process when there is one slot or one job."""
    if min(len(machine.devices), len(jobs)) == 1:
        yield from (_run(job, machine, workspace, stop) for job in jobs)
    else:
        yield from _in_pool(jobs, machine, workspace, stop)


def _in_pool(
    jobs: list[Job], machine: Machine, workspace: Workspace, stop: StopFlag
) -> Iterator[_Outcome]:
    """Every job's outcome as it comes, from processes whose death this one survives.

    After a signal the jobs that run save their state. The others are never handed to the pool: a
    worker that loky puts in another's place knows of no signal, and would begin them.
    """
    slots = max(2, min(len(machine.devices), len(jobs)))  # of one, joblib makes no process
    pool = joblib.Parallel(
        n_jobs=slots, batch_size=1, pre_dispatch=slots, return_as="generator_unordered"
    )
    # loky replaces a worker whose memory has grown between jobs, and need not tell the user
    warnings.filterwarnings("ignore", message="A worker stopped while some jobs were given")
    yield from pool(
        joblib.delayed(_run_apart)(job, machine, workspace, os.getpid())
        for job in itertools.takewhile(lambda _: not stop, jobs)
    )


def _run_apart(job: Job, machine: Machine, workspace: Workspace, parent: int) -> _Outcome:
    return _run(job, machine, workspace, worker_flag(parent))


def _run(job: Job, machine: Machine, workspace: Workspace, stop: StopFlag) -> _Outcome:
    import cv2
    import torch

    torch.set_num_threads(machine.threads)
    cv2.setNumThreads(machine.threads)  # its own pool would take every core for every job
    try:
        stop.check()
        with (
            JobProgress(workspace.progress, job.name) as progress,
            _lease(machine, workspace, progress, stop) as device,
        ):
            return _Outcome(job.name, job.call(*job.arguments, JobContext(device, progress, stop)))
    except MaskmillError as error:
        return _Outcome(job.name, error=error)
    except Exception:  # a fault of ours: keep its traceback, let the other jobs finish
        return _Outcome(job.name, error=MaskmillError(f"{job.name}: {traceback.format_exc()}"))


@contextmanager
def _lease(
    machine: Machine, workspace: Workspace, progress: JobProgress, stop: StopFlag
) -> Iterator[str]:
    """A device that no other job of this machine holds, waiting for one if need be."""

    def waiting(owners: str) -> None:
        stop.check()
        progress.update(0, 0, f"waits for a device; held by {owners}")

    locks: list[Path] = [
        workspace.locks / f"{name.replace(':', '')}-{machine.devices[:slot].count(name)}.lock"
        for slot, name in enumerate(machine.devices)
    ]
    with hold_one_of(locks, waiting=waiting) as slot:
        yield machine.devices[slot]


def _clear(folder: Path) -> None:
    for path in folder.glob("*"):
        path.unlink(missing_ok=True)


def _raise_failures(outcomes: Sequence[_Outcome]) -> None:
    errors = [outcome.error for outcome in outcomes if outcome.error is not None]
    if len(errors) == 1:
        raise errors[0]
    if errors:
        raise type(errors[0])("\n".join(str(error) for error in errors))
