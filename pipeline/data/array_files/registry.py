"""The formats of arrays, one file each; what is in a file decides, and not its name."""

from __future__ import annotations

import zipfile
from pathlib import Path

from pipeline.data.array_files import dicom, nifti, numpy_files, pictures, tiff, zarr_groups
from pipeline.data.array_files.array_file import ArrayFile, errors_named
from pipeline.data.images import opened
from pipeline.errors import DataError

_ZIP = b"PK\x03\x04"
_HEAD = 512  # bytes that tell the formats apart
_ENDINGS = (".npy", ".npz", ".dcm", ".dicom", ".nii", ".nii.gz", ".zarr")


def open_array(
    path: Path, *, key: str | None = None, axes: str | None = None, turn: bool = True
) -> ArrayFile:
    """What is in a file or zarr folder. DataError naming it if nothing reads it.

    key: the name of the array, where there are several. axes: a letter of Z, Y, X, C for each side
    of the stored array, where the file does not say it. turn: as EXIF says.
    """
    if path.is_dir():
        return _open_folder(path, key, axes)
    with opened(path) as stream:
        start = stream.read(_HEAD)
    with errors_named(path):
        if dicom.is_dicom(path, start):  # some of them can be read as TIFF, too
            return dicom.describe(path)
        if start.startswith(tiff.STARTS):
            return tiff.describe(path, axes, turn)
        if start.startswith(numpy_files.START):
            return numpy_files.describe_npy(path, axes)
        if nifti.is_nifti(path, start):
            return nifti.describe(path)
        if start.startswith(_ZIP) and zarr_groups.is_zarr(path):
            return zarr_groups.describe(path, key, axes)
        if start.startswith(_ZIP):
            return numpy_files.describe_npz(path, key, axes)
        return pictures.describe(path, turn)


def _open_folder(path: Path, key: str | None, axes: str | None) -> ArrayFile:
    if not zarr_groups.is_zarr(path):
        raise DataError(f"{path} is a folder, and none of zarr; name the files in it")
    with errors_named(path):
        return zarr_groups.describe(path, key, axes)


def is_array_file(path: Path) -> bool:
    """True for a file whose numbers 8-bit RGB would lose: of a format of arrays, or a picture of
    more bits, bands or pages. Its header is read, if its name does not say it.
    """
    if path.name.lower().endswith(_ENDINGS):
        return True
    if path.is_dir():
        return zarr_groups.is_zarr(path)
    try:
        with path.open("rb") as stream:
            start = stream.read(_HEAD)
    except OSError:
        return False
    if dicom.is_dicom(path, start) or nifti.is_nifti(path, start):
        return True
    if start.startswith(tiff.STARTS):
        return not tiff.is_eight_bit_rgb(path)
    return (
        start.startswith(numpy_files.START)
        or (start.startswith(_ZIP) and zipfile.is_zipfile(path))
        or pictures.is_deep_png(start)
    )
