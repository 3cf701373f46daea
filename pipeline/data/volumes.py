"""Volumes whose slices are images (`data.volume`): how a slice is named, and read.

The path of a slice is that of its volume with the number below it, as if volumes were folders.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.config import DataConfig
from pipeline.data.array_files.array_file import ArrayFile
from pipeline.data.array_files.dicom import is_dicom
from pipeline.data.array_files.nifti import NiftiPixels
from pipeline.data.array_files.one_plane import Resliced, one_plane, sliced_along
from pipeline.data.array_files.registry import open_array, open_series
from pipeline.data.array_files.zarr_marks import is_zarr_folder
from pipeline.data.listing import enumerated
from pipeline.errors import DataError

_SLICE = "slice "
_HEAD = 132  # bytes that tell DICOM from other files
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
    volume, number = split_slice(path)
    found = open_volume(volume, data, key=key)
    if number >= found.planes:
        raise DataError(f"{volume} has {found.planes} slice(s), and no slice {number} (from 0)")
    return one_plane(found, number, path)


def open_volume(path: Path, data: DataConfig, *, key: str | None = None) -> ArrayFile:
    """A file, a folder of zarr or of a DICOM series, its slices along `data.volume.axis`.

    DataError naming what cannot be read. Kept for the next slice, as a series has many files.
    """
    assert data.volume is not None
    return _opened(path, key, data.axes, data.volume.axis, _stamp(path))


def open_mask_slice(path: Path, data: DataConfig, *, key: str | None = None) -> NDArray[Any]:
    """The numbers of a slice of a volume of masks, HW."""
    masks = data.model_copy(update={"axes": data.axes and data.axes.replace("C", "")})
    found = open_slice(path, masks, key=key)
    if "C" in found.axes:
        raise DataError(f"{path.parent} has {found.shape[-1]} bands; a mask has one number a pixel")
    return found.read()


def mask_notes(path: Path, mask: Path, data: DataConfig, *, key: str | None = None) -> list[str]:
    """Doubts whether a volume of masks fits that of the images, both named by a slice.

    DataError where it has another number of slices.
    """
    of_mask = data.model_copy(update={"axes": data.axes and data.axes.replace("C", "")})
    images, masks = split_slice(path)[0], split_slice(mask)[0]
    one = open_volume(images, data, key=data.array)
    other = open_volume(masks, of_mask, key=key)
    if one.planes != other.planes:
        raise DataError(
            f"{masks} has {other.planes} slice(s) of {_sides(other)}, and its images {images} "
            f"{one.planes} of {_sides(one)} (height×width)"
        )
    notes = []
    if one.spacing and other.spacing and not np.allclose(one.spacing, other.spacing, rtol=0.01):
        both = _shown(other.spacing), _shown(one.spacing)
        notes.append(f"spacing {both[0]} differs from the image's, {both[1]}")
    if _is_turned(one) != _is_turned(other):
        notes.append(
            "one of image and mask is NIfTI, which is turned to its canonical orientation, and the "
            "other is not: see in the report whether they lie on each other"
        )
    return notes


def _is_turned(volume: ArrayFile) -> bool:
    """True for NIfTI, in whatever direction it is sliced."""
    pixels = volume.pixels.volume.pixels if isinstance(volume.pixels, Resliced) else volume.pixels
    return isinstance(pixels, NiftiPixels)


def _sides(volume: ArrayFile) -> str:
    return "×".join(map(str, volume.plane_shape[:2]))


def _shown(spacing: tuple[float, ...]) -> str:
    return "×".join(f"{each:.4g}" for each in spacing)


def count_slices(path: Path, data: DataConfig) -> int:
    """Of a volume; of a DICOM series its files are counted, and not read."""
    assert data.volume is not None
    if path.is_dir() and not is_zarr_folder(path) and data.volume.axis == "Z":
        files, _ = series_files(path)
        if len(files) > 1:
            return len(files)
    return open_volume(path, data, key=data.array).planes


def series_files(folder: Path) -> tuple[list[Path], list[Path]]:
    """The DICOM files in a folder, and others; hidden ones are neither. DataError for none."""
    return _told_apart(folder, _stamp(folder))


@lru_cache(maxsize=64)
def _told_apart(folder: Path, stamp: _Stamp) -> tuple[list[Path], list[Path]]:
    every = sorted(path for path in folder.iterdir() if path.is_file() and path.name[0] != ".")
    slices = [path for path in every if _is_slice(path)]
    if not slices:
        what = f"{len(every)} file(s), none of them DICOM" if every else "no file"
        raise DataError(
            f"{folder} is a folder with {what}; a volume is a file, a zarr folder or a folder with "
            "the files of a DICOM series"
        )
    return slices, [path for path in every if path not in set(slices)]


def is_series(path: Path) -> bool:
    """True for a folder of DICOM files that are slices, and no volumes of their own."""
    if not path.is_dir():
        return False
    files = (each for each in sorted(path.iterdir()) if each.is_file() and each.name[0] != ".")
    first = next((each for each in files if _is_slice(each)), None)
    return first is not None and open_array(first).planes == 1


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
def _opened(path: Path, key: str | None, axes: str | None, axis: Any, stamp: _Stamp) -> ArrayFile:
    return sliced_along(_stored(path, key, axes), axis)


def _stored(path: Path, key: str | None, axes: str | None) -> ArrayFile:
    if not path.is_dir() or is_zarr_folder(path):
        return open_array(path, key=key, axes=axes, slices=True)
    files, others = series_files(path)
    if len(files) == 1:
        return open_array(files[0])
    found = open_series(files)
    note = f"not DICOM, and left out of the series: {enumerated([each.name for each in others])}"
    return replace(found, notes=(*found.notes, note)) if others else found


def _is_slice(path: Path) -> bool:
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
