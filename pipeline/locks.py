"""Locks for one writer at a time; the kernel releases them when their owner dies.

`flock` on a small file that also names its owner. A file left behind by a dead process is not a
held lock, so nothing has to guess whether an owner is stale.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from pipeline.errors import ArtefactError, ResourceError
from pipeline.host import host_name

POLL_S = 0.1


class _HeldError(ArtefactError):
    """Another process holds the lock."""


@contextmanager
def hold(
    path: Path, *, waiting: Callable[[str], None] | None = None, patience_s: float | None = None
) -> Iterator[None]:
    """Hold the lock at `path`; wait for its owner, for ever or for `patience_s`.

    waiting: called once, with the owner, before waiting.
    Raises ArtefactError, naming the owner, when patience ends.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = open_lock(path)
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

    waiting: called repeatedly with the owners while waiting; it may raise.
    """
    while True:
        for position, path in enumerate(paths):
            try:
                lock = hold(path, patience_s=0)
                lock.__enter__()
            except _HeldError:
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
    """True if nobody holds the lock at `path` just now."""
    try:
        with path.open("r+") as stream:
            return _try(stream.fileno())
    except FileNotFoundError:
        return True


def open_lock(path: Path) -> int:
    """A descriptor of the lock file, made if it is not there.

    What is written there is lost: ArtefactError for anything but a plain file of this one name, so
    that no link turns another file into a lock.
    """
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        descriptor = os.open(path, flags, 0o666)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.EISDIR, errno.ENXIO):
            raise _no_lock(path) from None
        raise
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode) or status.st_nlink > 1:
        os.close(descriptor)
        raise _no_lock(path)
    return descriptor


def _no_lock(path: Path) -> ArtefactError:
    return ArtefactError(
        f"{path} is needed as a lock file, but is a link or not a plain file; remove it"
    )


def signature() -> str:
    """This process, for processes of all machines."""
    return f"pid {os.getpid()} on {host_name()}"


def owner(path: Path) -> str:
    """Who holds (or last held) the lock at `path`."""
    try:
        return path.read_text(errors="replace").strip() or "an unknown process"
    except OSError:
        return "nobody"


def _acquire(
    descriptor: int, path: Path, waiting: Callable[[str], None] | None, patience_s: float | None
) -> None:
    started, told = time.monotonic(), False
    while not _try(descriptor):
        if patience_s is not None and time.monotonic() - started >= patience_s:
            raise _HeldError(f"{path} is held by {owner(path)}; wait for it or stop it")
        if waiting is not None and not told:
            waiting(owner(path))
            told = True
        time.sleep(POLL_S)


def _try(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno in (errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOLCK):
            raise ResourceError(
                f"the file system of runs/ has no locks ({os.strerror(error.errno)}); mount it "
                "with them (Lustre: -o flock; NFS: not nolock)"
            ) from None
        raise
    return True


def _sign(descriptor: int) -> None:
    """Write the owner into the file, for waiting processes; skipped on a full disk."""
    with suppress(OSError):
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{signature()}\n".encode(), 0)
