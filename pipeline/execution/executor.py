"""Runs a stage's jobs on the devices of the machine: one job for each device at a time.

A process runs on each device. Before a job begins it leases its device, so that several `make` at
once do not put two jobs on one either. When a process dies (OOM killer, segfault) or its GPU fails
it, its job is named and run again in a new one, from its saved state; other jobs continue.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import replace
from typing import Any

from pipeline.cores import computing_threads
from pipeline.errors import InterruptedRunError, ResourceError
from pipeline.execution.crew import Crew
from pipeline.execution.devices import Machine, is_cuda
from pipeline.execution.jobs import WAITS, Job, JobContext, Outcome, run_job
from pipeline.interruption import StopFlag, interruptible
from pipeline.locks import hold_one_of
from pipeline.reporting import JobProgress, Reporter, progress_folder
from pipeline.workspace import Workspace

__all__ = ["Job", "JobContext", "Machine", "run_jobs"]

ATTEMPTS = 3


def run_jobs(
    title: str,
    jobs: Sequence[Job],
    machine: Machine,
    workspace: Workspace,
    reporter: Reporter,
    *,
    width: int | None = None,
) -> dict[str, Any]:
    """Run all jobs; their values by name.

    width: how many there would be if none were done yet. The CPU cores of each follow from it,
    as results can depend on them: a run that was stopped must go on with as many as it had.
    A job that fails does not stop the others; afterwards all failures are raised as one error.
    Raises InterruptedRunError after SIGINT or SIGTERM, when running jobs have saved their state.
    """
    outcomes: list[Outcome] = []
    cores = machine.cores_each(max(len(jobs), width or 0))
    with ExitStack() as stack:
        folder = stack.enter_context(progress_folder(workspace.progress))
        workspace = replace(workspace, progress_of=folder.name)
        crew = Crew(machine, cores, workspace)
        stop = stack.enter_context(interruptible(crew.pids))
        advance = stack.enter_context(reporter.watch(title, folder, len(jobs)))
        inline = min(len(machine.devices), len(jobs)) == 1 and not is_cuda(machine.devices[0])
        ended = (
            _inline(jobs, machine, cores, workspace, stop)
            if inline
            else _apart(jobs, crew, workspace, reporter, stop)
        )
        for outcome in ended:
            outcomes.append(outcome)
            advance(1)
            if isinstance(outcome.error, InterruptedRunError):
                stop.signal_number = stop.signal_number or outcome.error.signal_number
    _raise_failures(outcomes, stop)
    return {outcome.name: outcome.value for outcome in outcomes}


def _inline(
    jobs: Sequence[Job], machine: Machine, cores: int, workspace: Workspace, stop: StopFlag
) -> Iterator[Outcome]:
    """Every job's outcome, from this process: one CPU slot needs no other."""
    import cv2
    import torch

    threads = computing_threads(cores)
    torch.set_num_threads(threads)
    cv2.setNumThreads(threads)  # its own pool would take every core for every job
    locks = machine.locks(workspace)
    for job in jobs:
        with JobProgress(workspace.progress, job.name) as progress:

            def waiting(owners: str, progress: JobProgress = progress) -> None:
                stop.check()
                progress.update(0, 0, WAITS.format(owners))

            with suppress(InterruptedRunError), hold_one_of(locks, waiting=waiting) as slot:
                stop.check()
                yield run_job(job, JobContext(machine.devices[slot], progress, stop, cores))
        if stop:
            return


def _apart(
    jobs: Sequence[Job], crew: Crew, workspace: Workspace, reporter: Reporter, stop: StopFlag
) -> Iterator[Outcome]:
    """Every job's outcome as it comes, from worker processes that may die.

    After a signal the jobs that run save their state, and no other begins.
    """
    waiting, crashes = deque(jobs), Counter[str]()
    with crew:
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


def _raise_failures(outcomes: Sequence[Outcome], stop: StopFlag) -> None:
    """All failures as one error, also after a stop."""
    errors = [outcome.error for outcome in outcomes if outcome.error is not None]
    failures = [error for error in errors if not isinstance(error, InterruptedRunError)]
    if stop:
        raise InterruptedRunError(stop.signal_number, tuple(str(error) for error in failures))
    if len(failures) == 1:
        raise failures[0]
    if failures:
        raise type(failures[0])("\n".join(str(error) for error in failures))
