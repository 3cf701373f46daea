"""Volumes of masks, and whether they fit the volumes of the images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.config import DataConfig
from pipeline.data.array_files.array_file import ArrayFile, Pixels
from pipeline.data.array_files.nifti import NiftiPixels
from pipeline.data.array_files.numbered_files import NumberedPixels
from pipeline.data.array_files.one_plane import OnePlane, Resliced
from pipeline.data.array_files.zarr_marks import is_zarr_folder
from pipeline.data.volumes import is_slice, open_slice, open_volume, split_slice
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
    masks = data.model_copy(update={"axes": data.axes and data.axes.replace("C", "")})
    found = open_slice(path, masks, key=key)
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
    return isinstance(_stored_pixels(volume), NiftiPixels)


def _stored_pixels(volume: ArrayFile) -> Pixels:
    return volume.pixels.volume.pixels if isinstance(volume.pixels, Resliced) else volume.pixels


def _sides(volume: ArrayFile) -> str:
    return "×".join(map(str, volume.plane_shape[:2]))


def _shown(spacing: tuple[float, ...]) -> str:
    return "×".join(f"{each:.4g}" for each in spacing)
