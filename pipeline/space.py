"""Whether what a stage is about to write fits on the disk: asked before its first byte."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from pipeline.errors import ResourceError

_UNITS = ("bytes", "kB", "MB", "GB", "TB", "PB")


def free_bytes(folder: Path) -> int:
    """What this user may still write at `folder`, which need not be there yet."""
    there = next(each for each in [folder, *folder.absolute().parents] if each.exists())
    disk = os.statvfs(there)
    return disk.f_bavail * disk.f_frsize


def allocated_bytes(folders: Iterable[Path]) -> int:
    """What the files below `folders` take on the disk: holes of sparse files do not count."""
    blocks = 0
    for folder in folders:
        for path in folder.rglob("*"):
            try:
                blocks += path.lstat().st_blocks
            except FileNotFoundError:  # a temporary file of another process
                continue
    return blocks * 512


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
    """A number of bytes as people say it, in powers of 1000."""
    unit = 0
    while abs(size) >= 999.5 and unit < len(_UNITS) - 1:
        size, unit = size / 1000, unit + 1
    return f"{size:.0f} {_UNITS[unit]}" if unit == 0 else f"{size:.3g} {_UNITS[unit]}"
