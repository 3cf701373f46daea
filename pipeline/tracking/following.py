"""The side of the process that runs the stages: it starts the follower and never waits for it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path

from pipeline.tracking import TrackerKind
from pipeline.tracking.follower import Orders

GRACE_S = 20.0
"""For what is still to be logged when the stages are over."""
GRACE_AFTER_ERROR_S = 3.0
Warn = Callable[[str], None]


def usable(wanted: Mapping[str, TrackerKind], warn: Warn) -> dict[str, str]:
    """The adapters of those trackers whose package is installed; a warning for each other one."""
    adapters = {}
    for name, kind in wanted.items():
        if find_spec(kind.package) is None:
            warn(
                f"track: {name} is left out, since {kind.package} is not installed; "
                f"pip install 'maskmill[{name}]', or pip install {kind.package}"
            )
        else:
            adapters[name] = kind.adapter
    return adapters


@contextmanager
def following(orders: Orders, warn: Warn, grace_s: float = GRACE_S) -> Iterator[None]:
    """Run a follower during the block; its errors do not affect the block."""
    process = _start(orders, warn) if orders.adapters else None
    if process is None:
        yield
        return
    listener = threading.Thread(target=_listen, args=(process, warn), daemon=True)
    listener.start()
    grace = GRACE_AFTER_ERROR_S
    try:
        yield
        grace = grace_s
    finally:
        _end(process, grace)
        listener.join(timeout=1)


def _start(orders: Orders, warn: Warn) -> subprocess.Popen[str] | None:
    package = Path(__file__).parents[2]
    known = os.environ.get("PYTHONPATH")
    path = os.pathsep.join([str(package), *([known] if known else [])])
    module = "pipeline.tracking.follower"
    try:
        return subprocess.Popen(
            [sys.executable, "-P", "-m", module, json.dumps(asdict(orders))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": path},
            text=True,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,  # Ctrl-C is for the stages
        )
    except OSError as error:
        warn(f"track: the follower cannot be started ({error}); the run goes on without it")
        return None


def _listen(process: subprocess.Popen[str], warn: Warn) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        warn(f"track: {line.rstrip()}; missing values are logged by the next make")


def _end(process: subprocess.Popen[str], grace_s: float) -> None:
    """Ask it to end, give it the grace and a little more, then end it and all that it started."""
    assert process.stdin is not None
    try:
        with suppress(OSError):
            process.stdin.write(f"end {grace_s}\n")
            process.stdin.close()
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=grace_s + 2)
    finally:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
