"""Disks so small that they fill up, with root and without."""

from __future__ import annotations

import errno
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pipeline.disk_space import allocated_bytes, free_bytes

_POWERS = {"k": 10, "m": 20}
_pretended: dict[Path, PretendedDisk] = {}


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[Path]:
    """A disk of that size (`1m`) at `folder`: a tmpfs, or pretended where none may be mounted."""
    folder.mkdir()
    if _mounted(folder, size):
        try:
            yield folder
        finally:
            subprocess.run(["umount", "--lazy", str(folder)], check=True)
        return
    with pytest.MonkeyPatch.context() as patch:
        _pretended[folder] = PretendedDisk(folder, _bytes(size), patch)
        try:
            yield folder
        finally:
            del _pretended[folder]


def resize(folder: Path, size: str) -> None:
    if folder in _pretended:
        _pretended[folder].size = _bytes(size)
    else:
        subprocess.run(["mount", "-o", f"remount,size={size}", str(folder)], check=True)


def fill_up(folder: Path, but: int = 0) -> None:
    """Leave nothing free at `folder`, or `but` bytes."""
    (folder / "greedy").write_bytes(bytes(max(0, free_bytes(folder) - but)))


@contextmanager
def read_only(folder: Path) -> Iterator[Path]:
    """A folder that nobody can write to; root ignores permissions, but not a read-only mount."""
    folder.mkdir()
    if _mounted(folder, "1m"):
        subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)
        try:
            yield folder
        finally:
            subprocess.run(["umount", "--lazy", str(folder)], check=True)
        return
    if os.geteuid() == 0:
        pytest.skip("root may write anywhere, and here may not mount a read-only disk")
    folder.chmod(0o555)
    try:
        yield folder
    finally:
        folder.chmod(0o755)


class PretendedDisk:
    """A folder whose free bytes are counted, and where a write beyond them fails, in this process.

    Only what the map store calls is refused: `posix_fallocate` and `pwrite`.
    """

    def __init__(self, folder: Path, size: int, patch: pytest.MonkeyPatch) -> None:
        self.folder, self.size = folder.resolve(), size
        for name in ("statvfs", "posix_fallocate", "pwrite"):
            patch.setattr(os, name, getattr(self, name)(getattr(os, name)))

    @property
    def free(self) -> int:
        return max(0, self.size - allocated_bytes([self.folder]))

    def statvfs(self, real: Any) -> Any:
        def statvfs(path: Any) -> Any:
            found = real(path)
            if not self._holds(Path(path)):
                return found
            return SimpleNamespace(f_bavail=self.free, f_frsize=1, f_flag=found.f_flag)

        return statvfs

    def posix_fallocate(self, real: Any) -> Any:
        def posix_fallocate(descriptor: int, offset: int, length: int) -> None:
            self._take(descriptor, offset + length - os.fstat(descriptor).st_blocks * 512)
            real(descriptor, offset, length)

        return posix_fallocate

    def pwrite(self, real: Any) -> Any:
        def pwrite(descriptor: int, data: Any, offset: int) -> int:
            about, end = os.fstat(descriptor), offset + len(data)
            holes = max(0, about.st_size - about.st_blocks * 512)
            self._take(descriptor, min(len(data), holes + max(0, end - about.st_size)))
            return int(real(descriptor, data, offset))

        return pwrite

    def _take(self, descriptor: int, more: int) -> None:
        if more > self.free and self._holds(Path(f"/proc/self/fd/{descriptor}")):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def _holds(self, path: Path) -> bool:
        return path.resolve().is_relative_to(self.folder)


def _mounted(folder: Path, size: str) -> bool:
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    return os.geteuid() == 0 and subprocess.run(command, capture_output=True).returncode == 0


def _bytes(size: str) -> int:
    power = _POWERS.get(size[-1])
    return int(size) if power is None else int(size[:-1]) << power
