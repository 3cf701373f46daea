"""Checks free disk space before a stage writes, and turns errors of the disk into one message."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.errors import ResourceError

_UNITS = ("bytes", "kB", "MB", "GB", "TB", "PB")


def free_bytes(folder: Path) -> int:
    """Bytes that this user may still write at `folder`, which need not exist yet."""
    there = next(each for each in [folder, *folder.absolute().parents] if each.is_dir())
    disk = os.statvfs(there)
    return disk.f_bavail * disk.f_frsize


def allocated_bytes(folders: Iterable[Path]) -> int:
    """Bytes that the files below `folders` take on the disk, without holes of sparse files."""
    blocks = 0
    for folder in folders:
        for path in folder.rglob("*"):
            try:
                blocks += path.lstat().st_blocks
            except FileNotFoundError:  # a temporary file of another process
                continue
    return blocks * 512


FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def disk_error(error: OSError, path: Path | None = None, needed: int = 0) -> ResourceError:
    """An error of the file system as one line: which file, what is wrong, what to do.

    needed: bytes that were to be written to `path`, if that is known.
    """
    where = path or Path(error.filename if isinstance(error.filename, str) else "runs")
    why = os.strerror(error.errno) if error.errno else str(error)
    if error.errno in FULL:
        size = f"needs {needed:,} bytes, and" if needed else "cannot be written:"
        return ResourceError(
            f"{where} {size} {free_bytes(where.parent):,} are free ({why}); make room there and "
            "run the same command again: it continues from here"
        )
    return ResourceError(f"{where}: {why}{_why_not(where)}; run the same command again after that")


@contextmanager
def disk_errors_reported() -> Iterator[None]:
    """Turn errors of the file system into a ResourceError: which file, and what to do."""
    try:
        yield
    except OSError as error:
        if error.errno is None:  # not of the file system
            raise
        raise disk_error(error) from error


def _why_not(path: Path) -> str:
    """The most likely reason why `path` cannot be written."""
    for each in [path, *path.parents]:
        if each.is_symlink() and not each.exists():
            return f" ({each} is a link to {each.readlink()}, which is not there): fix the link"
    for each in path.parents:
        if each.exists():
            if not each.is_dir():
                return f" ({each} is a file where a folder should be): move it away"
            if not os.access(each, os.W_OK) or os.statvfs(each).f_flag & os.ST_RDONLY:
                return f" ({each} cannot be written to): make it writable"
            break
    if path.is_dir():
        return " (a folder where a file should be): move it away"
    return ": fix that"


def check_room(stage: str, size: int, folders: Iterable[Path], at: Path, remedy: str) -> None:
    """ResourceError unless `size` bytes fit at `at`, those that `folders` hold already counted in.

    remedy: what the user may change, besides making room.
    """
    needed, free = size - allocated_bytes(folders), free_bytes(at)
    if needed > free:
        raise ResourceError(
            f"{stage} will write {needed:,} bytes ({readable(needed)}) to {at}, and {free:,} "
            f"({readable(free)}) are free there; make room, or link {at} to a larger disk{remedy}"
        )


def readable(size: float) -> str:
    """A number of bytes for people, in powers of 1000."""
    unit = 0
    while abs(size) >= 999.5 and unit < len(_UNITS) - 1:
        size, unit = size / 1000, unit + 1
    return f"{size:.0f} {_UNITS[unit]}" if unit == 0 else f"{size:.3g} {_UNITS[unit]}"
