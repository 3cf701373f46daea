"""One writer at a time: locks that the kernel gives back when their owner dies.

`flock` on a small file that also names its owner. A file left behind by a dead process is not a
held lock, so nothing has to guess whether an owner is stale.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from pipeline.errors import ArtefactError

POLL_S = 0.1


@contextmanager
def hold(
    path: Path, *, waiting: Callable[[str], None] | None = None, patience_s: float | None = None
) -> Iterator[None]:
    """Hold the lock at `path`; wait for its owner, for ever or for `patience_s`.

    waiting: told once, by the owner's pid, that there is something to wait for.
    Raises ArtefactError, naming the owner, when patience ends.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        _acquire(descriptor, path, waiting, patience_s)
        _sign(descriptor)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def hold_one_of(
    paths: Sequence[Path], *, waiting: Callable[[str], None] | None = None
) -> Iterator[int]:
    """Hold any one of the locks at `paths`, waiting until one is free; yields its position.

    waiting: told again and again, by the owners' pids, what is waited for; it may raise.
    """
    while True:
        for position, path in enumerate(paths):
            try:
                lock = hold(path, patience_s=0)
                lock.__enter__()
            except ArtefactError:
                continue
            try:
                yield position
            finally:
                lock.__exit__(None, None, None)
            return
        if waiting is not None:
            waiting(", ".join(sorted({owner(path) for path in paths})))
        time.sleep(POLL_S)


def is_free(path: Path) -> bool:
    """Whether nobody holds the lock at `path` just now."""
    try:
        with path.open("r+") as stream:
            return _try(stream.fileno())
    except FileNotFoundError:
        return True


def owner(path: Path) -> str:
    """Who holds (or last held) the lock at `path`."""
    try:
        return path.read_text().strip() or "an unknown process"
    except FileNotFoundError:
        return "nobody"


def _acquire(
    descriptor: int, path: Path, waiting: Callable[[str], None] | None, patience_s: float | None
) -> None:
    started, told = time.monotonic(), False
    while not _try(descriptor):
        if patience_s is not None and time.monotonic() - started >= patience_s:
            raise ArtefactError(f"{path} is held by {owner(path)}; wait for it or stop it")
        if waiting is not None and not told:
            waiting(owner(path))
            told = True
        time.sleep(POLL_S)


def _try(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _sign(descriptor: int) -> None:
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"pid {os.getpid()}\n".encode(), 0)
