"""One writer a range: row locks that the kernel frees when their owner dies.

A POSIX record lock on one byte of the lock file stands for one row of the store. The kernel
knows the owner's pid and drops the lock with the process, so that no stale lock exists and none
is ever taken from a living owner. A process does not conflict with itself there, and loses all
its locks when it closes any descriptor of the file; hence the table of what this process holds.
"""

from __future__ import annotations

import fcntl
import os
import struct
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from pipeline.errors import ArtefactError
from pipeline.locks import open_lock

# struct flock of Linux on 64-bit machines: type, whence, start, length, pid.
_FLOCK = "hhqqi4x"


@dataclass
class _LockFile:
    descriptor: int
    held: set[int] = field(default_factory=set)


_open_files: dict[tuple[int, Path], _LockFile] = {}
_guard = threading.Lock()


@contextmanager
def exclusive(path: Path, rows: Iterable[int]) -> Iterator[None]:
    """Own those rows of the store whose lock file is `path`, in this process and thread.

    ArtefactError with the other writer's pid if one of them is being written already.
    """
    wanted = set(rows)
    with _guard:
        _acquire(path, wanted)
    try:
        yield
    finally:
        with _guard:
            _release(path, wanted)


@contextmanager
def whole_folder(path: Path) -> Iterator[None]:
    """Wait until no other process or thread is inside this block for the same `path`."""
    descriptor = open_lock(path)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _acquire(path: Path, wanted: set[int]) -> None:
    key = (os.getpid(), path)
    if key not in _open_files:
        _open_files[key] = _LockFile(open_lock(path))
    file = _open_files[key]
    if not file.held.isdisjoint(wanted):
        raise _in_use(path, os.getpid())
    for start, length in _runs(wanted):
        try:
            fcntl.lockf(file.descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, length, start)
        except (BlockingIOError, PermissionError):
            owner = _owner(file.descriptor, start, length)
            _unlock(key, wanted)
            raise _in_use(path, owner) from None
    file.held |= wanted


def _release(path: Path, rows: set[int]) -> None:
    key = (os.getpid(), path)
    if key in _open_files:  # not in a child forked inside the block: it owns nothing
        _open_files[key].held -= rows
        _unlock(key, rows)


def _unlock(key: tuple[int, Path], rows: set[int]) -> None:
    file = _open_files[key]
    for start, length in _runs(rows):
        fcntl.lockf(file.descriptor, fcntl.LOCK_UN, length, start)
    if not file.held:
        os.close(_open_files.pop(key).descriptor)


def _owner(descriptor: int, start: int, length: int) -> int:
    query = struct.pack(_FLOCK, fcntl.F_WRLCK, os.SEEK_SET, start, length, 0)
    answer: int = struct.unpack(_FLOCK, fcntl.fcntl(descriptor, fcntl.F_GETLK, query))[-1]
    return answer


def _in_use(path: Path, pid: int) -> ArtefactError:
    """pid: as the kernel tells it; it says nothing of an owner on another machine."""
    writer = f"process {pid}" if psutil.pid_exists(pid) else "a process of another machine"
    return ArtefactError(
        f"{path.parent} is being written by {writer}; wait until it has finished, or end it"
    )


def _runs(rows: set[int]) -> Iterator[tuple[int, int]]:
    """Maximal runs of consecutive rows, as (start, length)."""
    start = end = -1
    for row in sorted(rows):
        if row != end:
            if end > start:
                yield start, end - start
            start = row
        end = row + 1
    if end > start:
        yield start, end - start
