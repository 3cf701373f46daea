"""Worker processes, one for each slot: bound to a device, and replaced when they die.

Each process has a loky executor of its own, so that a death is noticed at once and breaks only
the job that ran there.
"""

from __future__ import annotations

import functools
import multiprocessing
import os
import re
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any

from joblib.externals.loky import ProcessPoolExecutor
from joblib.externals.loky.process_executor import BrokenProcessPool

from pipeline.execution.devices import binding, is_cuda
from pipeline.interruption import started_without_signals, worker_flag

IDLE_S = 30.0  # so long a process without a GPU waits for the jobs of the next stage


class Worker:
    """A process for one job at a time, and the next process after it."""

    def __init__(self, environment: dict[str, str]) -> None:
        self._environment = environment
        self._executor: Any = None

    def begin(self, call: Callable[..., Any], *arguments: Any) -> Future[Any]:
        """Run `call` in the process, which is started if need be."""
        with started_without_signals():
            if self._executor is None:
                self._executor = ProcessPoolExecutor(
                    1,
                    timeout=IDLE_S,
                    env=self._environment,
                    initializer=_start,
                    initargs=(os.getpid(),),
                )
            future: Future[Any] = self._executor.submit(call, *arguments)
        # loky watches the processes that it knew when it last woke; this one may be newer
        with self._executor._shutdown_lock:
            self._executor._executor_manager_thread_wakeup.wakeup()
        return future

    @property
    def pids(self) -> Sequence[int]:
        return () if self._executor is None else list(self._executor._processes)

    def retire(self) -> None:
        """End the process, and what it has started; the next job gets a new one."""
        if self._executor is not None:
            self._executor.shutdown(wait=True, kill_workers=True)
            self._executor = None


def worker_of(device: str, slot: int, cores: int) -> Worker:
    """The process for jobs on `device`: of a GPU a new one, else the one that may still be warm."""
    return Worker(binding(device, cores)) if is_cuda(device) else _warm(device, slot, cores)


def how_it_ended(future: Future[Any]) -> str:
    """How the process ended during its job; "" where the job ended normally."""
    error = future.exception()
    if not isinstance(error, BrokenProcessPool):
        return ""
    codes = re.search(r"exit codes of the workers are \{(.*?)\}", str(error))
    return codes[1] if codes else str(error).splitlines()[0]


def _start(parent: int) -> None:
    """The first call in a new process."""
    worker_flag(parent)
    # loky's own method is the default here, which the processes that a job starts do not know
    multiprocessing.set_start_method("forkserver", force=True)


@functools.cache
def _warm(device: str, slot: int, cores: int) -> Worker:
    return Worker(binding(device, cores))
