"""Bytes on disk: space is allocated before it is written, and a full disk is an error.

Maps are written with `pwrite`, never through a memory map: on a full disk or a file system that
cannot allocate ahead, a memory map dies of SIGBUS where `pwrite` returns an error.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.disk_space import FULL, disk_error


def allocate(path: Path, size: int) -> None:
    """Make `path` `size` bytes long, with its space on disk reserved; old bytes stay.

    ResourceError with the bytes needed and free if they do not fit; a new file is gone then.
    """
    is_new = not path.exists()
    with opened(path) as descriptor:
        try:
            there = os.fstat(descriptor).st_size
            if there < size:
                os.posix_fallocate(descriptor, 0, size)
            elif there > size:
                os.ftruncate(descriptor, size)
        except OSError as error:
            if is_new:
                path.unlink()
            _raise_if_full(error, path, size)
            raise


def make_sparse(path: Path, size: int) -> None:
    """Make `path` `size` bytes long without taking space; old bytes stay."""
    with opened(path) as descriptor:
        if os.fstat(descriptor).st_size != size:
            os.ftruncate(descriptor, size)


@contextmanager
def opened(path: Path) -> Iterator[int]:
    """A descriptor of `path` for reading and writing, made if it is not there."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def write_at(descriptor: int, data: memoryview | bytes, offset: int, path: Path) -> None:
    """Write all bytes of `data` at `offset`; ResourceError if the disk is full."""
    rest = memoryview(data).cast("B")
    try:
        while rest:
            written = os.pwrite(descriptor, rest, offset)
            rest, offset = rest[written:], offset + written
    except OSError as error:
        _raise_if_full(error, path, len(rest))
        raise


def _raise_if_full(error: OSError, path: Path, needed: int) -> None:
    if error.errno in FULL:
        raise disk_error(error, path, needed) from None
