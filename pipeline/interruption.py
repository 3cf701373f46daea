"""SIGINT and SIGTERM as a flag that long work checks; worker processes end with their parent.

The main process and its workers have a flag each. Loader processes ignore signals, so that the
training that they serve can end its step. All end with their parent.
"""

from __future__ import annotations

import functools
import os
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any

import psutil

from pipeline.errors import InterruptedRunError

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class StopFlag:
    """True if this process was asked to stop, and by which signal."""

    def __init__(self) -> None:
        self.signal_number = 0

    def __bool__(self) -> bool:
        return self.signal_number != 0

    def check(self) -> None:
        """Raise InterruptedRunError if a stop was asked for."""
        if self.signal_number:
            raise InterruptedRunError(self.signal_number)


@contextmanager
def interruptible(workers: Callable[[], Iterable[int]] = tuple) -> Iterator[StopFlag]:
    """Turn the first SIGINT or SIGTERM into a flag; a second one ends the process at once.

    workers: the pids of its own worker processes, which a second signal ends with it.
    Outside the main thread, where Python allows no handlers, the flag simply never rises.
    """
    flag = StopFlag()

    def handle(number: int, _frame: FrameType | None) -> None:
        if flag:
            send(signal.SIGKILL, workers())
            os._exit(128 + number)
        flag.signal_number = number

    previous = _install(handle)
    try:
        yield flag
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


@functools.cache
def worker_flag(parent: int, grace_s: float = 0.0) -> StopFlag:
    """The flag of a worker process of `parent`, for as long as it lives, jobs or none.

    An idle worker must survive a stop request. It must also survive a second signal:
    a terminal's Ctrl-C reaches it as well as its parent's word. It does end when `parent` is gone:
    at once, or so long after it was asked to stop.
    """
    flag = StopFlag()

    def handle(number: int, _frame: FrameType | None) -> None:
        flag.signal_number = flag.signal_number or number

    _install(handle)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
    die_with(parent, grace_s=grace_s)
    return flag


def ignore_signals(parent: int) -> None:
    """Let no signal but SIGKILL end this helper of `parent`; it ends when `parent` does."""
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    die_with(parent)


@contextmanager
def started_without_signals() -> Iterator[None]:
    """Block signals in processes that are started within the block, until they unblock them.

    A signal for this thread itself waits for the end of the block.
    """
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)


def send(number: signal.Signals, pids: Iterable[int]) -> None:
    """Signal those of `pids` that are still there."""
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


def die_with(parent: int, every_s: float = 0.2, grace_s: float = 0.0) -> None:
    """End this worker process soon after `parent` is gone, so that no orphan continues to write.

    grace_s: so long before that it is asked to stop.
    """

    def watch() -> None:
        with suppress(psutil.NoSuchProcess):
            process = psutil.Process(parent)
            while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
                time.sleep(every_s)
        if grace_s:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(grace_s)
        os._exit(1)

    threading.Thread(target=watch, daemon=True, name="die-with-parent").start()


def _install(handle: Callable[[int, FrameType | None], None]) -> dict[signal.Signals, Any]:
    if threading.current_thread() is not threading.main_thread():
        return {}
    return {number: signal.signal(number, handle) for number in _SIGNALS}
