"""SIGINT and SIGTERM as a flag that long work looks at, and orphans that notice they are alone."""

from __future__ import annotations

import functools
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import psutil

from pipeline.errors import InterruptedRunError

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class StopFlag:
    """Whether somebody asked this process to stop, and with which signal."""

    def __init__(self) -> None:
        self.signal_number = 0

    def __bool__(self) -> bool:
        return self.signal_number != 0

    def check(self) -> None:
        """Raise InterruptedRunError if a stop was asked for."""
        if self.signal_number:
            raise InterruptedRunError(self.signal_number)


@contextmanager
def interruptible(*, forward: bool = False) -> Iterator[StopFlag]:
    """Turn the first SIGINT or SIGTERM into a flag; a second one ends the process at once.

    forward: also pass the signal on to child processes (the workers of a stage).
    Outside the main thread, where Python allows no handlers, the flag simply never rises.
    """
    flag = StopFlag()
    previous = _install(_handler(flag, forward))
    try:
        yield flag
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


@functools.cache
def worker_flag(parent: int) -> StopFlag:
    """The flag of a worker process of `parent`, for as long as it lives, jobs or none.

    A worker that idles when everybody is told to stop must not die of it: a pool with a dead
    worker ends the ones that are saving their state. It does end when `parent` is gone.
    """
    die_with(parent)
    flag = StopFlag()
    _install(_handler(flag, forward=False))
    return flag


def _handler(flag: StopFlag, forward: bool) -> Callable[[int, FrameType | None], None]:
    def handle(number: int, _frame: FrameType | None) -> None:
        if flag:
            _end_children(signal.SIGKILL)
            os._exit(128 + number)
        flag.signal_number = number
        if forward:
            _end_children(signal.SIGTERM)

    return handle


def _install(handle: Callable[[int, FrameType | None], None]) -> dict[signal.Signals, Any]:
    if threading.current_thread() is not threading.main_thread():
        return {}
    return {number: signal.signal(number, handle) for number in _SIGNALS}


def _end_children(number: signal.Signals) -> None:
    for child in psutil.Process().children(recursive=True):
        try:
            child.send_signal(number)
        except psutil.NoSuchProcess:
            continue


def die_with(parent: int, every_s: float = 0.2) -> None:
    """End this worker process soon after `parent` is gone, so that no orphan goes on writing."""

    def watch() -> None:
        while psutil.pid_exists(parent) and os.getppid() != 1:
            time.sleep(every_s)
        os._exit(1)

    threading.Thread(target=watch, daemon=True, name="die-with-parent").start()
