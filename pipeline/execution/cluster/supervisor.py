"""Starts the process of a job in a thread of a Dask worker, watches it, and says how it ended.

The process is all that Dask's threads are not: it can be killed, it hears signals, it gives its
memory back, and it may have processes of its own. The next one is started ahead, so that a job
need not wait for Python.
"""

from __future__ import annotations

import os
import pickle
import select
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import IO

from pipeline.errors import InterruptedRunError
from pipeline.execution.cluster.child import ERRAND, OUTCOME
from pipeline.execution.cluster.errand import Errand, Report
from pipeline.execution.jobs import Outcome
from pipeline.host import host_name
from pipeline.interruption import send

CHILD = "pipeline.execution.cluster.child"
TICK_S = 0.1
TAIL = 2000
"""Letters of what a job has printed last, shown when it died."""
UNTIL = "MASKMILL_UNTIL"
"""Environment of a worker: the Unix time at which its jobs must move, since its lease ends soon."""
_CODE = Path(__file__).parents[3]


class Child:
    """A process that waits for an errand, or runs it; all that it prints goes to a file."""

    def __init__(self) -> None:
        self._output: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - as long as the process
        path = os.pathsep.join(filter(None, [str(_CODE), os.environ.get("PYTHONPATH", "")]))
        self._process = subprocess.Popen(
            [sys.executable, "-m", CHILD],
            cwd="/",
            env={**os.environ, "PYTHONPATH": path},
            stdin=subprocess.PIPE,
            stdout=self._output,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self._descriptor = os.pidfd_open(self._process.pid)
        self._read = 0
        self._code: int | None = None
        self.tail = ""

    @property
    def is_there(self) -> bool:
        return self._code is None and not self.ended(0)

    def begin(self, folder: Path) -> None:
        """Give it the folder of its errand."""
        stream = self._process.stdin
        assert stream is not None
        with suppress(BrokenPipeError):  # it died: its end is seen as that of a job
            stream.write(f"{folder}\n")
            stream.close()

    def ended(self, within_s: float) -> bool:
        """True once it has ended; it is a zombie then, so that nobody else gets its number."""
        poll = select.poll()
        poll.register(self._descriptor, select.POLLIN)
        return bool(poll.poll(within_s * 1000))

    def terminate(self) -> None:
        send(signal.SIGTERM, [self._process.pid])

    def finish(self) -> str:
        """End all that is left of its session; how it ended, "" if by itself."""
        if self._code is None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._code = self._process.wait()
            os.close(self._descriptor)
        return "" if self._code == 0 else _ending(self._code)

    def new_lines(self, all: bool = False) -> list[str]:
        """What it has printed since the last call, in whole lines."""
        data = os.pread(self._output.fileno(), 2**20, self._read)
        whole = data if all else data[: data.rfind(b"\n") + 1]
        self._read += len(whole)
        text = whole.decode(errors="replace")
        self.tail = (self.tail + text)[-TAIL:]
        return text.splitlines()

    def close(self) -> None:
        self._output.close()


_spares: list[Child] = []
_busy: set[Child] = set()
_guard = threading.Lock()


def run_errand(
    order: bytes, why_stop: Callable[[], str], tell: Callable[[list[str]], None]
) -> Report:
    """Run one attempt and return when nothing of it is left.

    order: the pickled Errand; why_stop: asked again and again, a reason to stop or ""; tell: takes
    the lines that the job prints.
    """
    errand: Errand = pickle.loads(order)
    child = _next_child()
    try:
        with tempfile.TemporaryDirectory(prefix="maskmill-") as name:
            folder = Path(name)
            (folder / ERRAND).write_bytes(order)
            child.begin(folder)
            make_ready()
            reason = _watch(child, errand, why_stop, tell)
            ending = child.finish()
            tell(child.new_lines(all=True))
            return _report(errand, folder / OUTCOME, reason, ending, child.tail)
    finally:
        child.finish()
        child.close()
        with _guard:
            _busy.discard(child)


def _watch(
    child: Child, errand: Errand, why_stop: Callable[[], str], tell: Callable[[list[str]], None]
) -> str:
    """Until it has ended, or its grace has; why it was stopped, "" if it was not."""
    started, told, reason = time.monotonic(), 0.0, ""
    while not child.ended(TICK_S):
        tell(child.new_lines())
        now = time.monotonic()
        if not reason:
            reason = why_stop() or _overdue(errand, now - started)
            if reason:
                child.terminate()
                told = now
        elif now - told > errand.grace_s:
            return f"{reason}; it was killed {errand.grace_s:g} s later"
    return reason


def _overdue(errand: Errand, seconds: float) -> str:
    late = errand.deadline_s is not None and seconds > errand.deadline_s
    return f"longer than its deadline of {errand.deadline_s:g} s" if late else ""


def _report(errand: Errand, path: Path, reason: str, ending: str, tail: str) -> Report:
    host = host_name()
    try:
        outcome: Outcome = pickle.loads(path.read_bytes())
    except FileNotFoundError:
        last = tail.strip().splitlines()[-1:]
        words = [host, reason or ending or "it ended without a result", *last]
        return Report(host, Outcome(errand.name, fault=": ".join(words)))
    interrupted = isinstance(outcome.error, InterruptedRunError)
    if interrupted and "deadline" in reason:
        return Report(host, Outcome(errand.name, fault=f"{host}: {reason}"))
    return Report(host, outcome, is_lasting=not interrupted)


def _next_child() -> Child:
    """A process that is ready, if there is one."""
    with _guard:
        for dead in [each for each in _spares if not each.is_there]:
            _spares.remove(dead)
            dead.finish()
            dead.close()
        child = _spares.pop() if _spares else Child()
        _busy.add(child)
        return child


def make_ready() -> None:
    """Start as many processes ahead as run, and one at least."""
    with _guard:
        _spares.extend(Child() for _ in range(max(1, len(_busy)) - len(_spares)))


def _ending(code: int) -> str:
    if code < 0:
        return f"killed by {signal.Signals(-code).name}"
    return f"exit status {code}"
