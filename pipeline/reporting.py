"""Messages of stages, and progress of jobs in other processes."""

from __future__ import annotations

import glob
import json
import os
import secrets
import shutil
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import psutil

from pipeline.host import host_name, slug

Advance = Callable[[int], None]
LINES = ".lines"
"""Suffix of the file that holds a job's milestones, each as a JSON string on a line."""


def duration(seconds: float) -> str:
    """Seconds for people."""
    if seconds < 100:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.1f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


class Reporter(Protocol):
    """The messages of a stage."""

    def say(self, text: str) -> None: ...

    def warn(self, text: str) -> None: ...

    def table(self, title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None: ...

    def track(self, title: str, total: int) -> AbstractContextManager[Advance]:
        """A progress bar of work done in this process."""
        ...

    def watch(self, title: str, folder: Path, total: int) -> AbstractContextManager[Advance]:
        """A progress bar over jobs, with a line for each one that reports into `folder`."""
        ...


class SilentReporter:
    """Stores messages and shows nothing."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.warned: list[str] = []

    def say(self, text: str) -> None:
        self.said.append(text)

    def warn(self, text: str) -> None:
        self.warned.append(text)

    def table(self, title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        self.said.append("\n".join([title, " ".join(columns), *(" ".join(row) for row in rows)]))

    @contextmanager
    def track(self, title: str, total: int) -> Iterator[Advance]:
        yield lambda count: None

    @contextmanager
    def watch(self, title: str, folder: Path, total: int) -> Iterator[Advance]:
        yield lambda count: None


@dataclass(frozen=True)
class JobState:
    """Progress of one running job."""

    name: str
    done: int
    total: int
    note: str = ""


class JobProgress:
    """A job's own side: a small file in its run's folder, there as long as the job runs.

    Errors of the disk are ignored here; they stop the work itself.
    """

    EVERY_S = 0.3

    def __init__(self, folder: Path, name: str) -> None:
        # two names may have one slug
        self._path = folder / f"{slug(name)[:60]}-{zlib.crc32(name.encode()):08x}.json"
        self._lines = self._path.with_suffix(LINES)
        self._name = name
        self._last = 0.0

    def __enter__(self) -> JobProgress:
        self.update(0, 0)
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self._path.unlink(missing_ok=True)

    def update(self, done: int, total: int, note: str = "") -> None:
        """Say that `done` of `total` steps are done; most calls cost nothing."""
        now = time.monotonic()
        if now - self._last < self.EVERY_S and 0 < done < total:
            return
        self._last = now
        state = {"name": self._name, "done": done, "total": total, "note": note}
        temporary = self._path.with_suffix(f".{os.getpid()}.tmp")
        with suppress(OSError):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            temporary.write_text(json.dumps(state))
            temporary.replace(self._path)

    def milestone(self, text: str) -> None:
        """Say that a part of the work is over, in one line that no reader misses."""
        with suppress(OSError):
            self._lines.parent.mkdir(parents=True, exist_ok=True)
            with self._lines.open("a", encoding="utf-8") as lines:
                lines.write(json.dumps(f"{self._name}: {text}") + "\n")


@contextmanager
def progress_folder(parent: Path) -> Iterator[Path]:
    """A folder below `parent` for the jobs of this run alone; gone afterwards.

    Those of runs that were killed on this machine are removed, those of others never.
    """
    _sweep(parent)
    folder = parent / f"{host_name()}-{os.getpid()}-{secrets.token_hex(4)}"
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _sweep(parent: Path) -> None:
    for folder in parent.glob(f"{glob.escape(host_name())}-*-*"):
        pid = folder.name.split("-")[-2]
        if pid.isdecimal() and not psutil.pid_exists(int(pid)):
            shutil.rmtree(folder, ignore_errors=True)


def running_jobs(folder: Path) -> list[JobState]:
    """The jobs that report below `folder` right now (or died while they did)."""
    states = []
    for path in sorted(folder.rglob("*.json")):
        # a job may end between the listing and the look
        with suppress(OSError, ValueError, TypeError):
            states.append(JobState(**json.loads(path.read_text())))
    return states


class Milestones:
    """Reads the milestones of jobs below a folder, every line once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._read: dict[Path, int] = {}

    def new(self) -> list[str]:
        """The lines since the last call; a line that is still being written waits for the next."""
        return [text for path in sorted(self._folder.rglob(f"*{LINES}")) for text in self._of(path)]

    def _of(self, path: Path) -> list[str]:
        try:
            with path.open("rb") as file:
                file.seek(self._read.get(path, 0))
                whole, newline, _ = file.read().rpartition(b"\n")
        except OSError:
            return []
        self._read[path] = self._read.get(path, 0) + len(whole) + len(newline)
        texts = []
        for line in whole.splitlines():
            with suppress(ValueError):
                texts.append(str(json.loads(line)))
        return texts
