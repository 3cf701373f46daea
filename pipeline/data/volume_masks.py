"""Volumes of masks, and whether they fit the volumes of the images."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.config import DataConfig, LabelMapFiles
from pipeline.data.array_files.array_file import ArrayFile, Pixels, errors_named
from pipeline.data.array_files.like_series import LikeSeries, like_series
from pipeline.data.array_files.nifti import NiftiPixels
from pipeline.data.array_files.numbered_files import NumberedPixels
from pipeline.data.array_files.one_plane import OnePlane, Resliced, sliced_along
from pipeline.data.array_files.zarr_marks import is_zarr_folder
from pipeline.data.masks.named_file import named_file
from pipeline.data.name_patterns import as_regex
from pipeline.data.volumes import is_slice, open_slice, open_volume, slice_of, split_slice
from pipeline.errors import DataError


def mask_file(path: Path, data: DataConfig) -> Path:
    """The file of a slice of masks, where each slice has one, to be read as any mask is.

    `path` itself where it is no slice, or where a volume is one file.
    """
    if not is_slice(path) or not path.parent.is_dir() or is_zarr_folder(path.parent):
        return path
    pixels = open_slice(path, data).pixels
    assert isinstance(pixels, OnePlane)
    stored = pixels.volume.pixels
    return stored.files[pixels.number] if isinstance(stored, NumberedPixels) else path


def open_mask_slice(path: Path, data: DataConfig, *, key: str | None = None) -> NDArray[Any]:
    """The numbers of a slice of a volume of masks, HW."""
    found = slice_of(_open_masks(split_slice(path)[0], data, key), path)
    _refuse_lossy(found)
    if "C" in found.axes:
        raise DataError(f"{path.parent} has {found.shape[-1]} bands; a mask has one number a pixel")
    return found.read()


def _refuse_lossy(found: ArrayFile) -> None:
    assert isinstance(found.pixels, OnePlane)
    stored = _stored_pixels(found.pixels.volume)
    files = stored.files if isinstance(stored, NumberedPixels) else ()
    if lossy := [each for each in files if each.suffix.lower() in (".jpg", ".jpeg")]:
        raise DataError(f"{lossy[0]} is a JPEG, which changes numbers; save masks as PNG")


def mask_notes(path: Path, mask: Path, data: DataConfig, *, key: str | None = None) -> list[str]:
    """Doubts whether a volume of masks fits that of the images, both named by a slice.

    DataError where it has another number of slices.
    """
    images, masks = split_slice(path)[0], split_slice(mask)[0]
    one = open_volume(images, data, key=data.array)
    other = _open_masks(masks, data, key)
    if one.planes != other.planes:
        raise DataError(
            f"{masks} has {other.planes} slice(s) of {_sides(other)}, and its images {images} "
            f"{one.planes} of {_sides(one)} (height×width)"
        )
    notes = []
    if one.spacing and other.spacing and not np.allclose(one.spacing, other.spacing, rtol=0.01):
        both = _shown(other.spacing), _shown(one.spacing)
        notes.append(f"spacing {both[0]} differs from the image's, {both[1]}")
    if _is_like_series(other):
        notes.append("turned as the DICOM series of the images lies: see the report")
    elif _is_turned(one) != _is_turned(other):
        notes.append(
            "one of image and mask is NIfTI, which is turned to its canonical orientation, and the "
            "other is not: see in the report whether they lie on each other"
        )
    return notes


def _open_masks(path: Path, data: DataConfig, key: str | None) -> ArrayFile:
    """A volume of masks, its slices along `data.volume.axis`; a NIfTI as the DICOM series of its
    images lies.
    """
    masks = data.model_copy(update={"axes": data.axes and data.axes.replace("C", "")})
    found = open_volume(path, masks, key=key)
    if not _is_turned(found) or data.volume is None:
        return found
    images = _images_of(path, data)
    if images is None or not images.is_dir() or is_zarr_folder(images):
        return found
    by_height = {"volume": data.volume.model_copy(update={"axis": "Z"})}
    series = open_volume(images, data.model_copy(update=by_height), key=data.array)
    stored = open_volume(path, masks.model_copy(update=by_height), key=key)
    with errors_named(images):
        turned = like_series(stored, series)
    return found if turned is None else sliced_along(turned, data.volume.axis)


def mask_rules(data: DataConfig) -> list[str]:
    """What decides how masks are read, besides the experiment: nothing but for NIfTI of series."""
    if data.volume is None or Path(data.of_first_file(data.images)).suffix:
        return []
    nifti = [each for each in _patterns(data) if each.endswith((".nii", ".nii.gz"))]
    return ["series/1"] if nifti else []


def _patterns(data: DataConfig) -> list[str]:
    """Of files of masks, and of ignored pixels."""
    files = data.masks.label_map if isinstance(data.masks, LabelMapFiles) else data.masks
    return [each for each in (files, data.ignore) if isinstance(each, str)]


def _images_of(path: Path, data: DataConfig) -> Path | None:
    """The volume of the images that a file of masks, or of ignored pixels, belongs to."""
    try:
        name = path.relative_to(data.root).as_posix()
    except ValueError:
        return None
    for pattern in _patterns(data):
        if match := re.fullmatch(as_regex(pattern), name):
            return named_file(data.root, data.of_first_file(data.images), match["id"])
    return None


def _is_like_series(volume: ArrayFile) -> bool:
    pixels = volume.pixels
    return isinstance(pixels.volume.pixels if isinstance(pixels, Resliced) else pixels, LikeSeries)


def _is_turned(volume: ArrayFile) -> bool:
    """True for NIfTI, in whatever direction it is sliced."""
    return isinstance(_stored_pixels(volume), NiftiPixels)


def _stored_pixels(volume: ArrayFile) -> Pixels:
    pixels = volume.pixels
    while isinstance(pixels, Resliced | LikeSeries):
        pixels = pixels.volume.pixels
    return pixels


def _sides(volume: ArrayFile) -> str:
    return "×".join(map(str, volume.plane_shape[:2]))


def _shown(spacing: tuple[float, ...]) -> str:
    return "×".join(f"{each:.4g}" for each in spacing)
