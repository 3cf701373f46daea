"""The formats of arrays, one file each; what is in a file decides, and not its name."""

from __future__ import annotations

from pathlib import Path

from pipeline.data.array_files import tiff
from pipeline.data.array_files.array_file import ArrayFile, errors_named
from pipeline.data.images import opened
from pipeline.errors import DataError


def open_array(
    path: Path, *, key: str | None = None, axes: str | None = None, turn: bool = True
) -> ArrayFile:
    """What is in a file or zarr folder. DataError naming it if nothing reads it.

    key: the name of the array, where there are several. axes: a letter of Z, Y, X, C for each side
    of the stored array, where the file does not say it. turn: as EXIF says.
    """
    with opened(path) as stream:
        start = stream.read(1024)
    with errors_named(path):
        if start.startswith(tiff.STARTS):
            return tiff.describe(path, axes, turn)
    raise DataError(f"{path} is no array")


def is_array_file(path: Path) -> bool:
    return not tiff.is_eight_bit_rgb(path)
