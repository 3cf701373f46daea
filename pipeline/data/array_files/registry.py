"""The formats of arrays, one file each; what is in a file decides, and not its name."""

from __future__ import annotations

import zipfile
from pathlib import Path

from pipeline.data.array_files import dicom, nifti, numpy_files, pictures, tiff, zarr_groups
from pipeline.data.array_files.array_file import ArrayFile, errors_named
from pipeline.data.array_files.dicom_series import open_series
from pipeline.data.images import opened
from pipeline.data.pages import RefusedError

__all__ = ["ENDINGS", "is_array_file", "open_array", "open_series"]

_ZIP = b"PK\x03\x04"
_HEAD = 512  # bytes that tell the formats apart
ENDINGS = (".npy", ".npz", ".dcm", ".dicom", ".nii", ".nii.gz", ".zarr", ".zarr.zip")
"""Of files, and of folders of zarr, that hold arrays; others are known by what is in them."""


def open_array(
    path: Path,
    *,
    key: str | None = None,
    axes: str | None = None,
    turn: bool = True,
    slices: bool = False,
) -> ArrayFile:
    """What is in a file or zarr folder, from its header. DataError naming it if nothing reads it.

    key: the name of the array in npz and zarr, where there are several. axes: a letter of Z, Y, X,
    C for each side of the stored array, where the file does not say it. turn: as EXIF says.
    slices: three sides that nothing names are slices, rows and columns.
    """
    if path.is_dir():
        with errors_named(path):
            return _of_folder(path, key, axes, slices)
    with opened(path) as stream:
        start = stream.read(_HEAD)
    with errors_named(path):
        named = _with_names(path, start, key, axes, slices)
        if named is not None:
            return named
        if key is not None:
            raise RefusedError(f"has one array without a name; take key {key!r} away")
        return _without_names(path, start, axes, turn, slices)


def _of_folder(path: Path, key: str | None, axes: str | None, slices: bool) -> ArrayFile:
    if not zarr_groups.is_zarr(path):
        raise RefusedError("is a folder, and none of zarr; name the files in it")
    return zarr_groups.describe(path, key, axes, slices=slices)


def _with_names(
    path: Path, start: bytes, key: str | None, axes: str | None, slices: bool
) -> ArrayFile | None:
    """The array of a format whose arrays have names; None for other formats."""
    if not start.startswith(_ZIP):
        return None
    if zarr_groups.is_zarr(path):
        return zarr_groups.describe(path, key, axes, slices=slices)
    return numpy_files.describe_npz(path, key, axes, slices=slices)


def _without_names(
    path: Path, start: bytes, axes: str | None, turn: bool, slices: bool
) -> ArrayFile:
    if start.startswith(numpy_files.START):
        return numpy_files.describe_npy(path, axes, slices=slices)
    if dicom.is_dicom(path, start):  # before TIFF, as which some of them can be read, too
        found = dicom.describe(path)
    elif start.startswith(tiff.STARTS):
        return tiff.describe(path, axes, turn)
    elif nifti.is_nifti(path, start):
        found = nifti.describe(path)
    else:
        found = pictures.describe(path, turn)
    if axes is not None and sorted(axes) != sorted(found.axes):
        raise RefusedError(f"cannot be read with axes {axes!r}: its own are {found.axes}")
    return found


def is_array_file(path: Path) -> bool:
    """True for a file whose numbers 8-bit RGB would lose: of a format of arrays, or a picture of
    more bits, bands or pages. Its header is read, if its name does not say it.
    """
    if path.name.lower().endswith(ENDINGS):
        return True
    if path.is_dir():
        return zarr_groups.is_zarr(path)
    try:
        with path.open("rb") as stream:
            start = stream.read(_HEAD)
    except OSError:
        return False
    if start.startswith(numpy_files.START) or dicom.is_dicom(path, start):
        return True
    if start.startswith(tiff.STARTS):
        return not tiff.is_eight_bit_rgb(path)
    return (
        (start.startswith(_ZIP) and zipfile.is_zipfile(path))
        or nifti.is_nifti(path, start)
        or pictures.is_deep_png(start)
    )
