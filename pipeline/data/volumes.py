"""Volumes whose slices are images (`data.volume`): how a slice is named, and read.

The path of a slice is that of its volume with the number below it, as if volumes were folders.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from pipeline.config import DataConfig
from pipeline.config.volume import VolumeConfig
from pipeline.data.array_files.array_file import ArrayFile
from pipeline.data.array_files.dicom import is_dicom
from pipeline.data.array_files.numbered_files import open_numbered
from pipeline.data.array_files.one_plane import one_plane, sliced_along
from pipeline.data.array_files.registry import open_array, open_series
from pipeline.data.array_files.zarr_marks import is_zarr_folder
from pipeline.data.containers import image_suffixes
from pipeline.data.listing import enumerated
from pipeline.errors import DataError

_SLICE = "slice "
_HEAD = 132  # bytes that tell DICOM from other files
_PICTURES = (*image_suffixes(), ".npy")
"""Endings of the files of slices."""
_Stamp = tuple[tuple[str, int, int], ...]


def slice_path(volume: Path, number: int) -> Path:
    """number: from 0."""
    return volume / f"{_SLICE}{number}"


def split_slice(path: Path) -> tuple[Path, int]:
    """The volume and the number of `slice_path`."""
    assert path.name.startswith(_SLICE), path
    return path.parent, int(path.name.removeprefix(_SLICE))


def whole_file(path: Path, data: DataConfig) -> Path:
    """The file or folder that a path of an image or a mask is in: its volume, or itself."""
    return path if data.volume is None else split_slice(path)[0]


def open_slice(path: Path, data: DataConfig, *, key: str | None = None) -> ArrayFile:
    """A slice as an image of its own, from the header of its volume; key: of an array in it.

    DataError where the volume has no such slice.
    """
    return slice_of(open_volume(split_slice(path)[0], data, key=key), path)


def slice_of(found: ArrayFile, path: Path) -> ArrayFile:
    """`open_slice` of a volume that is open."""
    volume, number = split_slice(path)
    if number >= found.planes:
        raise DataError(f"{volume} has {found.planes} slice(s), and no slice {number} (from 0)")
    return one_plane(found, number, path)


def open_volume(path: Path, data: DataConfig, *, key: str | None = None) -> ArrayFile:
    """A file, a folder of zarr or of a DICOM series, its slices along `data.volume.axis`.

    DataError naming what cannot be read. Kept for the next slice, as a series has many files.
    """
    assert data.volume is not None
    return _opened(path, key, data.axes, data.volume, _stamp(path))


def is_slice(path: Path) -> bool:
    """True for what `slice_path` makes."""
    return re.fullmatch(rf"{_SLICE}\d+", path.name) is not None


def count_slices(path: Path, data: DataConfig) -> int:
    """Of a volume; where each slice has a file these are counted, and not read."""
    assert data.volume is not None
    if path.is_dir() and not is_zarr_folder(path) and data.volume.axis == "Z":
        files, _ = slice_files(path)
        if len(files) > 1:
            return len(files)
    return open_volume(path, data, key=data.array).planes


def slice_files(folder: Path) -> tuple[list[Path], list[Path]]:
    """The files of slices in a folder, and others; hidden ones are neither. DataError for none.

    DICOM where there is some, else pictures and arrays.
    """
    return _told_apart(folder, _stamp(folder))


@lru_cache(maxsize=64)
def _told_apart(folder: Path, stamp: _Stamp) -> tuple[list[Path], list[Path]]:
    every = sorted(path for path in folder.iterdir() if path.is_file() and path.name[0] != ".")
    slices = [path for path in every if _is_dicom(path)]
    slices = slices or [path for path in every if path.name.lower().endswith(_PICTURES)]
    if not slices:
        what = f"{len(every)} file(s), none of them an image" if every else "no file"
        raise DataError(
            f"{folder} is a folder with {what}; a volume is a file, a zarr folder, or a folder "
            "with a file a slice"
        )
    return slices, [path for path in every if path not in set(slices)]


def is_volume_folder(path: Path, data: DataConfig) -> bool:
    """True for zarr, and for a folder of files that are slices, and no volumes of their own.

    Pictures are slices where those of the run's own volumes are files in a folder.
    """
    if not path.is_dir() or data.volume is None or is_zarr_folder(path):
        return path.is_dir() and is_zarr_folder(path)
    try:
        first = slice_files(path)[0][0]
        if not (_is_dicom(first) or Path(data.of_first_file(data.images)).suffix == ""):
            return False
        return open_array(first).planes == 1
    except DataError:
        return False


def neighbour_slices(
    path: Path, data: DataConfig, left_out: frozenset[Path]
) -> Iterator[Path | None]:
    """The slice at each of `data.stack.neighbours`; None where nothing stands for a missing one."""
    assert data.stack is not None
    volume, number = split_slice(path)
    planes = count_slices(volume, data)
    for offset in data.stack.neighbours:
        step = -1 if offset > 0 else 1
        nearer = range(offset, step, step) if data.stack.edges == "repeat" else (offset,)
        there = (slice_path(volume, number + each) for each in nearer
                 if 0 <= number + each < planes)  # fmt: skip
        yield path if not offset else next((each for each in there if each not in left_out), None)


@lru_cache(maxsize=64)
def _opened(
    path: Path, key: str | None, axes: str | None, volume: VolumeConfig, stamp: _Stamp
) -> ArrayFile:
    return sliced_along(stored_volume(path, key, axes, volume.first), volume.axis)


def stored_volume(
    path: Path, key: str | None = None, axes: str | None = None, first: int = 0
) -> ArrayFile:
    """A file, or a folder of zarr or of files of slices, sliced along Z; `open_volume` keeps it.

    first: what the number of the first file of a folder should be.
    """
    if not path.is_dir() or is_zarr_folder(path):
        return open_array(path, key=key, axes=axes, slices=True)
    files, others = slice_files(path)
    if len(files) == 1:
        return open_array(files[0])
    found = open_series(files) if _is_dicom(files[0]) else open_numbered(files, first)
    note = f"files that are no slices are left out: {enumerated([each.name for each in others])}"
    return replace(found, notes=(*found.notes, note)) if others else found


def _is_dicom(path: Path) -> bool:
    try:
        with path.open("rb") as stream:
            return is_dicom(path, stream.read(_HEAD))
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from None


def _stamp(path: Path) -> _Stamp:
    """What changes when a volume does."""
    try:
        if path.is_dir():
            with os.scandir(path) as entries:
                facts = [(each.name, each.stat()) for each in entries]
        else:
            facts = [("", path.stat())]
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from None
    return tuple(sorted((name, stat.st_mtime_ns, stat.st_size) for name, stat in facts))
