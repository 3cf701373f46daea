"""Atomic writing of files, and handling of leftover temporary files and damaged files."""

from __future__ import annotations

import fcntl
import hashlib
import os
import secrets
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from pipeline import fence
from pipeline.disk_space import disk_error


def write_atomic(path: Path, data: bytes | str) -> None:
    """Write `data` to `path` atomically: readers see the old file or the new one, never a part."""
    payload = data.encode() if isinstance(data, str) else data
    stream_atomic(path, lambda stream: stream.write(payload), len(payload))


def stream_atomic(path: Path, write: Callable[[BinaryIO], object], size: int = 0) -> None:
    """Like `write_atomic`, for content that `write` puts into the stream piece by piece.

    size: its bytes, if known; ResourceError names them when the disk is full.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _temporary(path) as stream:
            write(stream)
            stream.flush()
            os.fsync(stream.fileno())
            fence.check()
            Path(stream.name).replace(path)
        sync_folder(path.parent)
    except OSError as error:
        raise disk_error(error, path, size) from None


def replace_whole(path: Path, pieces: Iterable[bytes | memoryview]) -> None:
    """Put `pieces` at `path` whole, for what is made again where it does not survive a power cut.

    Raises OSError as it comes; nothing waits for the disk.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with _temporary(path) as stream:
        for piece in pieces:
            stream.write(piece)
        stream.flush()
        fence.check()
        Path(stream.name).replace(path)


@contextmanager
def _temporary(path: Path) -> Iterator[BinaryIO]:
    """A file beside `path`, gone afterwards; locked, so that `sweep` knows that its owner lives."""
    temporary = temporary_beside(path)
    stream = _create_locked(temporary)
    try:
        yield stream
    finally:
        temporary.unlink(missing_ok=True)
        with suppress(OSError):  # what is still to be flushed to a full disk
            stream.close()


def temporary_beside(path: Path) -> Path:
    """A name that `sweep` knows."""
    # a name of 255 bytes is the longest there is
    return path.with_name(f".{path.name[:40]}.{os.getpid()}.{secrets.token_hex(4)}.tmp")


def _create_locked(path: Path) -> BinaryIO:
    while True:
        stream = path.open("xb")
        with suppress(OSError):  # a file system without locks: nothing is swept there
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.fstat(stream.fileno()).st_nlink:  # not swept before it was locked
            return stream
        stream.close()


def sweep(folder: Path) -> None:
    """Remove the temporary files and folders in `folder` that killed processes left, not those of
    live ones.
    """
    for path in folder.glob(".*.tmp"):
        with suppress(OSError), opened_folder(path) if path.is_dir() else path.open("rb") as held:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()


def empty_folder(folder: Path) -> None:
    """Remove everything in `folder`, which stays: it may be a link to another disk."""
    if not folder.is_dir():
        folder.unlink(missing_ok=True)
        return
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


@contextmanager
def opened_folder(folder: Path) -> Iterator[int]:
    """A descriptor of a folder, which can be locked and flushed."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def sync_folder(folder: Path) -> None:
    """Wait until the names in a folder are on the disk."""
    with opened_folder(folder) as descriptor:
        os.fsync(descriptor)


def rename_damaged(path: Path) -> Path:
    """Rename a damaged file, so that it is regenerated and no bytes are lost; its old path."""
    with suppress(OSError):
        path.replace(path.with_name(f"{path.name}.damaged"))
    return path


def file_checksum(path: Path) -> str:
    """SHA-256 of a file's bytes, in hex."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
