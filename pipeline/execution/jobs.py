"""Jobs of a stage, and the outcome of each."""

from __future__ import annotations

import gc
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.disk_space import disk_error
from pipeline.errors import MaskmillError, ResourceError
from pipeline.execution.device_faults import is_device_fault, is_out_of_memory
from pipeline.interruption import StopFlag
from pipeline.reporting import JobProgress

WAITS = "waits for a device; held by {}"


@dataclass(frozen=True)
class JobContext:
    """The context of a job besides its arguments."""

    device: str
    progress: JobProgress
    stop: StopFlag
    cores: int = 1
    """The CPU cores that are the job's."""


@dataclass(frozen=True)
class Job:
    """`call(*arguments, context)` under a name; it must be picklable and safe to run again."""

    name: str
    call: Callable[..., Any]
    arguments: tuple[Any, ...]
    makes: tuple[Path, ...] = ()
    """Files that are there after it: another machine that ran it must show them here."""
    writes: frozenset[Path] = frozenset()
    """Folders of which it writes single files in place: two machines at once would spoil them."""


@dataclass(frozen=True)
class Outcome:
    name: str
    value: Any = None
    error: MaskmillError | None = None
    fault: str = ""
    """The error of the device; the process cannot use the device any more."""
    taken: bool = False
    """True if the job has not begun, since another process has taken its device."""
    leaks: bool = False
    """The job has left so much on its GPU that its process must end."""


def run_job(job: Job, context: JobContext) -> Outcome:
    try:
        context.stop.check()
        return Outcome(job.name, job.call(*job.arguments, context))
    except MaskmillError as error:
        return Outcome(job.name, error=_without_frames(error))
    except OSError as error:  # a full disk, a folder that cannot be written to
        return Outcome(job.name, error=disk_error(error))
    except Exception as error:
        if is_out_of_memory(error):
            text = f"{job.name}: out of memory on {context.device}: {str(error).splitlines()[0]}"
            return Outcome(job.name, error=ResourceError(text))
        if is_device_fault(error):
            return Outcome(job.name, fault=str(error).splitlines()[0])
        # a fault of ours: keep its traceback, let the other jobs finish
        return Outcome(job.name, error=MaskmillError(f"{job.name}: {traceback.format_exc()}"))


def _without_frames(error: MaskmillError) -> MaskmillError:
    """The error, with all gone that the job held when it was raised.

    Queues of a loader and memory of a GPU would live as long as the frames of its traceback, and
    the process may be ended as soon as its parent knows the outcome.
    """
    each: BaseException | None = error
    while each is not None:
        each.__traceback__ = None
        each = each.__cause__ or each.__context__
    gc.collect()
    return error
