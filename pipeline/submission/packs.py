"""Folders, zip and tar archives of a submission's files: written whole and checked, or not at all.

The same files make the same bytes: no times, owners or paths of this machine are stored.
"""

from __future__ import annotations

import io
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from pipeline.atomic_files import stream_atomic
from pipeline.atomic_folders import files_in, write_folder
from pipeline.config.choices import Pack
from pipeline.errors import DataError

Files = Iterator[tuple[str, bytes]]
"""Names, with / between their parts, and contents."""
_MODE = 0o644


def write_pack(path: Path, pack: Pack, files: Files, check: Callable[[Files], object]) -> None:
    """Write files one by one; before they take their place, `check` is given them as stored.

    Memory holds one file. DataError where what was stored cannot be read; ResourceError when the
    disk is full.
    """

    def fill(folder: Path) -> None:
        for name, content in files:
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
        check(read_pack(folder))

    def write(stream: BinaryIO) -> None:
        (_write_zip if pack == "zip" else _write_tar)(stream, files)
        stream.flush()
        check(read_pack(Path(stream.name)))

    if pack == "folder":
        write_folder(path, fill)
    else:
        stream_atomic(path, write)


def _write_zip(stream: BinaryIO, files: Files) -> None:
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files:
            entry = zipfile.ZipInfo(name)  # whose time is 1980
            entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, _MODE << 16
            archive.writestr(entry, content)


def _write_tar(stream: BinaryIO, files: Files) -> None:
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, content in files:
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), _MODE
            archive.addfile(entry, io.BytesIO(content))


def read_pack(path: Path) -> Files:
    """The files of a folder, zip or tar, by name; DataError where it is damaged."""
    if path.is_dir():
        yield from (
            (each.relative_to(path).as_posix(), each.read_bytes()) for each in files_in(path)
        )
        return
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                yield from ((each, archive.read(each)) for each in _files_of_zip(archive))
        else:
            with tarfile.open(path) as tar:
                yield from _files_of_tar(tar)
    except (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError) as error:
        raise DataError(f"{path} is damaged, or no zip or tar: {error}") from None


def names_in(path: Path) -> list[str]:
    """The names of the files of a folder, zip or tar; DataError where it is damaged."""
    if path.is_dir():
        return [each.relative_to(path).as_posix() for each in files_in(path)]
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                return _files_of_zip(archive)
        with tarfile.open(path) as tar:
            return sorted(each.name.removeprefix("./") for each in tar if each.isfile())
    except FileNotFoundError:
        raise DataError(f"{path} is missing") from None
    except (zipfile.BadZipFile, tarfile.TarError, EOFError) as error:
        raise DataError(f"{path} is damaged, or no folder, zip or tar: {error}") from None


def _files_of_zip(archive: zipfile.ZipFile) -> list[str]:
    return sorted(each.filename for each in archive.infolist() if not each.is_dir())


def _files_of_tar(tar: tarfile.TarFile) -> Files:
    for entry in tar:
        stream = tar.extractfile(entry)
        if stream is not None:
            content = stream.read()
            if len(content) != entry.size:
                raise EOFError(f"{entry.name} is cut")
            yield entry.name, content
