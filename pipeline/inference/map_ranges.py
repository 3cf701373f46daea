"""Divides images between devices: ranges small enough that none is idle while others work."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

RANGES_A_DEVICE = 8
"""The last range to end leaves the other devices idle for an eighth of the time at most."""
WORTH_A_RANGE = 64
"""Images; for fewer it does not pay to load the models once more."""


def number_of_ranges(images: int, devices: int, share: int = 1) -> int:
    """Ranges of so many images that one of `share` equal parts of all work is divided into.

    One a device at least, as far as there are images; one alone where one device does all.
    """
    if devices == 1:
        return min(1, images)
    fine = -(-RANGES_A_DEVICE * devices // share)
    return min(images, max(-(-devices // share), min(fine, images // WORTH_A_RANGE)))


def whole_ranges(
    groups: Sequence[Sequence[str]], sizes: Sequence[int], count: int
) -> list[list[str]]:
    """The ids of nearly even ranges that cut no group. sizes: of each group."""
    ranges = even_ranges(sizes, min(count, len(groups)))
    return [[each for group in groups[some] for each in group] for some in ranges]


def even_ranges(sizes: Sequence[int], count: int) -> list[slice]:
    """Contiguous ranges, none of them empty, of nearly the same total; `count` ≤ len(sizes)."""
    ends = np.cumsum(sizes, dtype=np.int64)
    cuts = [0]
    for number in range(1, count):
        wanted = ends[-1] * number / count
        nearest = int(np.abs(ends - wanted).argmin()) + 1
        most = len(sizes) - (count - number)
        cuts.append(min(max(nearest, cuts[-1] + 1), most))
    cuts.append(len(sizes))
    return [slice(*pair) for pair in itertools.pairwise(cuts)] if count else []
