"""Runs a stage's jobs on an engine, and gathers their values or their failures."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

from pipeline.errors import InterruptedRunError
from pipeline.execution.devices import Machine
from pipeline.execution.engine import OpenEngine
from pipeline.execution.jobs import Job, JobContext, Outcome
from pipeline.execution.loky import Loky
from pipeline.interruption import StopFlag, interruptible
from pipeline.reporting import Reporter, progress_folder
from pipeline.workspace import Workspace

__all__ = ["Job", "JobContext", "Machine", "run_jobs"]


def run_jobs(
    title: str,
    jobs: Sequence[Job],
    machine: Machine,
    workspace: Workspace,
    reporter: Reporter,
    *,
    width: int | None = None,
    engine: OpenEngine = Loky,
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
        opened = engine(machine, cores, replace(workspace, progress_of=folder.name), reporter)
        stop = stack.enter_context(interruptible(opened.pids))
        advance = stack.enter_context(reporter.watch(title, folder, len(jobs)))
        for outcome in opened.run(jobs, stop):
            outcomes.append(outcome)
            advance(1)
            if isinstance(outcome.error, InterruptedRunError):
                stop.signal_number = stop.signal_number or outcome.error.signal_number
    _raise_failures(outcomes, stop)
    return {outcome.name: outcome.value for outcome in outcomes}


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
