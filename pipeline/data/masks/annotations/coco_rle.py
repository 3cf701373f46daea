"""COCO's run lengths: counts of pixels outside and inside by turns, down columns."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.data import rle
from pipeline.data.masks.annotations.regions import RegionError
from pipeline.errors import DataError
from pipeline.size import Size

_LOWEST, _HIGHEST = 48, 48 + 63
_MORE, _SIGN, _BITS = 0x20, 0x10, 0x1F
_LONGEST = 12  # groups of 5 bits of one number


def decode(segmentation: dict[str, Any], size: Size) -> NDArray[np.bool_]:
    """The mask HW of a `{size, counts}`; RegionError where it is none, or of another size."""
    given = segmentation.get("size")
    if not isinstance(given, list) or list(given) != list(size):
        raise RegionError(
            f"its run lengths are of size {given}, its image has [height, width] {list(size)}"
        )
    counts = segmentation.get("counts")
    if isinstance(counts, str):
        counts = expand(counts)
    if not isinstance(counts, list) or any(type(each) is not int or each < 0 for each in counts):
        raise RegionError("its counts are not whole numbers from 0")
    if sum(counts) != size[0] * size[1]:
        raise RegionError(
            f"its counts make {sum(counts)} pixels, its image has {size[0] * size[1]}"
        )
    lengths = np.array(counts, np.int64)[1::2]
    starts = np.cumsum(np.array(counts, np.int64))[: 2 * len(lengths) : 2]
    runs = np.stack([starts, lengths], axis=1)[lengths > 0]
    try:
        return rle.mask_of(runs, size, "column")
    except DataError as error:
        raise RegionError(str(error)) from None


def expand(text: str) -> list[int]:
    """The counts of COCO's compressed text.

    A letter has 5 bits of a number, lowest first, and a bit that says whether more follow; from
    the fourth number on, what is written is the difference from the last but one.
    """
    counts: list[int] = []
    value = shift = 0
    for letter in text:
        code = ord(letter)
        if not _LOWEST <= code <= _HIGHEST or shift > 5 * _LONGEST:
            raise RegionError(f"its compressed counts have a wrong letter, {letter!r}")
        bits = code - _LOWEST
        value |= (bits & _BITS) << shift
        shift += 5
        if bits & _MORE:
            continue
        if bits & _SIGN:
            value -= 1 << shift
        counts.append(value + counts[-2] if len(counts) > 2 else value)
        value = shift = 0
    if shift:
        raise RegionError("its compressed counts are cut")
    return counts
