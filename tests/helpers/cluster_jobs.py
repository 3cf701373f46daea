"""Jobs for the tests of clusters, in a module that is imported fast."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

from pipeline.atomic_files import write_atomic
from pipeline.execution.jobs import JobContext


def nap(seconds: float, context: JobContext) -> int:
    time.sleep(seconds)
    return os.getpid()


def surroundings(context: JobContext) -> dict[str, str]:
    names = ("CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS", "OPENCV_FOR_THREADS_NUM")
    found = {name: os.environ.get(name, "") for name in names}
    return {**found, "folder": str(Path.cwd()), "device": context.device,
            "session": str(os.getsid(0) == os.getpid())}  # fmt: skip


def say(text: str, context: JobContext) -> None:
    sys.stderr.write(text)


def note_start(folder: str, name: str) -> None:
    with (Path(folder) / f"{name}.starts").open("a") as stream:
        stream.write(f"{os.getpid()} {os.environ.get('MASKMILL_HOST', '')}\n")


def starts(folder: Path, name: str) -> list[str]:
    path = folder / f"{name}.starts"
    return path.read_text().splitlines() if path.exists() else []


def die(folder: str, name: str, times: int, context: JobContext) -> str:
    """Is killed in its first `times` attempts."""
    note_start(folder, name)
    if len(starts(Path(folder), name)) <= times:
        os.kill(os.getpid(), signal.SIGKILL)
    return "survived"


def work_until_stop(folder: str, name: str, context: JobContext) -> str:
    """Saves its state when told to stop; its second attempt is short."""
    note_start(folder, name)
    if (Path(folder) / f"{name}.saved").exists():
        return "continued"
    while not context.stop:
        time.sleep(0.02)
    (Path(folder) / f"{name}.saved").touch()
    context.stop.check()
    return "never"


def work(folder: str, name: str, seconds: float, context: JobContext) -> str:
    """Works, and stops when told; each attempt works anew."""
    note_start(folder, name)
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        context.stop.check()
        time.sleep(0.02)
    return name


def hang(folder: str, name: str, context: JobContext) -> str:
    """Hears no signal in its first attempt."""
    note_start(folder, name)
    if len(starts(Path(folder), name)) == 1:
        time.sleep(600)
    return "awake"


def publish_late(folder: str, name: str, seconds: float, context: JobContext) -> str:
    """The host, which is also written to a file after so long; the second attempt is faster."""
    note_start(folder, name)
    host = os.environ["MASKMILL_HOST"]
    first = len(starts(Path(folder), name)) == 1
    time.sleep(seconds if first else seconds / 10)
    write_atomic(Path(folder) / f"{name}.published", host)
    return host
