"""Makes an `ArrayFile` of what a format's header says, and refuses what is no image."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from pipeline.data.array_files.array_file import ArrayFile, Pixels
from pipeline.data.array_files.layout import ORDER
from pipeline.data.array_files.numbers import no_data_in, type_read
from pipeline.data.pages import RefusedError


def described(
    path: Path,
    pixels: Pixels,
    *,
    axes: str,
    shape: tuple[int, ...],
    stored: np.dtype[Any],
    no_data: float | None = None,
    spacing: tuple[float, ...] | None = None,
    notes: tuple[str, ...] = (),
) -> ArrayFile:
    """The array of a file. stored: the type of what `pixels` gives.

    RefusedError for an array without pixels and for numbers that are not read.
    """
    assert axes == "".join(letter for letter in ORDER if letter in axes)
    sides = "×".join(map(str, shape))
    if not all(shape):
        raise RefusedError(f"holds no pixels: its array is {sides}")
    dtype = type_read(stored)
    if stored.kind in "iu" and stored.itemsize == 8:
        notes = (*notes, f"{stored.newbyteorder('=')} read as float64")
    value = no_data_in(no_data, dtype)
    if no_data is not None and value is None:
        notes = (*notes, f"no pixel of {dtype} can be {no_data:g}, its no-data value")
    known = spacing is not None and all(np.isfinite(each) and each > 0 for each in spacing)
    return ArrayFile(path, axes, shape, dtype, value, spacing if known else None, notes, pixels)
