"""Atomic writing of whole folders: none is ever seen half written."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from pipeline.atomic_files import file_checksum, opened_folder, sync_folder, temporary_beside
from pipeline.disk_space import disk_error


def write_folder(path: Path, fill: Callable[[Path], object]) -> None:
    """Put what `fill` writes into an empty folder at `path`, whole or not at all.

    An older folder there is replaced; a process that dies between the two renames leaves none.
    ResourceError when the disk is full.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = temporary_beside(path)
        temporary.mkdir()
        try:
            with opened_folder(temporary) as held:
                with suppress(OSError):  # a file system without locks: nothing is swept there
                    fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
                fill(temporary)
                _sync(temporary)
                _replace(temporary, path)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        sync_folder(path.parent)
    except OSError as error:
        raise disk_error(error, path) from None


def _sync(folder: Path) -> None:
    for parent, _, names in os.walk(folder):
        for name in names:
            with (Path(parent) / name).open("rb") as stream:
                os.fsync(stream.fileno())
        sync_folder(Path(parent))


def _replace(temporary: Path, path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        old = temporary_beside(path)
        path.rename(old)
        temporary.rename(path)
        shutil.rmtree(old, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
        temporary.rename(path)


def content_checksum(path: Path) -> str:
    """SHA-256 in hex of a file's bytes; of a folder, of the names and bytes of all its files."""
    if not path.is_dir():
        return file_checksum(path)
    digest = hashlib.sha256()
    for each in files_in(path):
        digest.update(f"{each.relative_to(path).as_posix()}\0{file_checksum(each)}\n".encode())
    return digest.hexdigest()


def files_in(folder: Path) -> list[Path]:
    """All files below a folder, by name."""
    return sorted(path for path in folder.rglob("*") if path.is_file())
