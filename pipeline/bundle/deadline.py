"""A time budget: how much of it is left, and a stop when it is spent."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

from pipeline.errors import InterruptedRunError


class Deadline:
    """A moment of the monotonic clock, seconds from now."""

    def __init__(self, seconds: float) -> None:
        self._at = time.monotonic() + seconds
        self.passed = False

    @property
    def left(self) -> float:
        """Seconds; negative afterwards."""
        return self._at - time.monotonic()

    @contextmanager
    def enforced(self) -> Iterator[None]:
        """Within the block, end running jobs at the deadline as SIGTERM does: state is saved, and
        `passed` is true. The block ends then without an error. For the main thread.
        """

        def stop() -> None:
            self.passed = True
            os.kill(os.getpid(), signal.SIGTERM)

        def outside_of_jobs(number: int, _frame: FrameType | None) -> None:
            raise InterruptedRunError(number)

        previous = signal.signal(signal.SIGTERM, outside_of_jobs)
        timer = threading.Timer(max(0.0, self.left), stop)
        timer.daemon = True
        timer.start()
        try:
            yield
        except InterruptedRunError as error:
            if not self.passed or error.failures:
                raise
        finally:
            timer.cancel()
            with suppress(InterruptedRunError):  # it may fire while it is cancelled
                signal.signal(signal.SIGTERM, previous)
