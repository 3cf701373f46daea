"""COCO's run lengths: counts of pixels outside and inside by turns, down columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.data import rle
from pipeline.data.masks.annotations.regions import RegionError
from pipeline.data.rle import Runs
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
    try:
        return rle.mask_of(runs_of_counts(counts), size, "column")
    except DataError as error:
        raise RegionError(str(error)) from None


def runs_of_counts(counts: Sequence[int]) -> Runs:
    """The runs (start from 0, length) down columns; counts of nothing are left out."""
    numbers = np.array(counts, np.int64)
    lengths = numbers[1::2]
    starts = np.cumsum(numbers)[: 2 * len(lengths) : 2]
    return np.stack([starts, lengths], axis=1)[lengths > 0]


def counts_of(runs: Runs, size: Size) -> list[int]:
    """The counts of runs down columns; the first, of pixels outside, may be 0, the last is not."""
    edges = np.concatenate([[0], np.stack([runs[:, 0], runs.sum(axis=1)], 1).ravel()])
    counts: list[int] = np.diff(np.append(edges, size[0] * size[1])).tolist()
    return counts[:-1] if len(counts) > 1 and not counts[-1] else counts


def compress(counts: Sequence[int]) -> str:
    """The text that `expand` reads."""
    letters = bytearray()
    for place, count in enumerate(counts):
        rest = count - counts[place - 2] if place > 2 else count
        while True:
            bits, rest = rest & _BITS, rest >> 5
            ends = rest == (-1 if bits & _SIGN else 0)
            letters.append(_LOWEST + (bits if ends else bits | _MORE))
            if ends:
                break
    return letters.decode("ascii")


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
