"""Counts for all thresholds at once, from histograms of blended values over the truth's 0 and 1.

Pixels lie in *segments*: (M, P) blocks of values, one block an image, class and truth value, one
after another in a flat array.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.ensemble.blending.fixed_point import THRESHOLD_LEVELS
from pipeline.ensemble.blending.numba_loops import MEMBERS_PER_PASS, count_passing
from pipeline.ensemble.blending.threads import in_parts


def passing(
    values: NDArray[Any],
    starts: NDArray[np.int64],
    lengths: NDArray[np.int64],
    shares: NDArray[np.uint32],
    shift: int,
) -> NDArray[np.int32]:
    """How many pixels of each segment reach each level, int32 (segments, THRESHOLD_LEVELS).

    values: flat; starts, lengths: (segments,), where a segment's block begins and its P; shares:
    (M,). A pixel's level is its weighted sum >> shift.
    """
    reached = np.zeros((len(starts), THRESHOLD_LEVELS), np.int32)
    members, weights = used_members(shares)

    def work(part: slice) -> None:
        count_passing(values, starts[part], lengths[part], members, weights, shift, reached[part])

    in_parts(work, lengths)
    return reached


def counts_at(
    reached: NDArray[np.int32],
    lengths: NDArray[np.int64],
    base: NDArray[np.int64],
    levels: NDArray[np.int64],
) -> NDArray[np.int64]:
    """True and false positives and negatives of each choice of levels, int64 (S, images, C, 4).

    reached: (images, C, 2, THRESHOLD_LEVELS) and lengths: (images, C, 2), of the disputed pixels
    with truth 0 and 1; base: (images, C, 4), the counts of all others; levels: (S, C).
    """
    counts = np.empty((len(levels), *base.shape), np.int64)
    for plane in range(base.shape[1]):
        above = reached[:, plane][:, :, levels[:, plane]].transpose(2, 0, 1)
        below = lengths[:, plane] - above
        changes = (above[..., 1], above[..., 0], below[..., 1], below[..., 0])
        for kind, change in enumerate(changes):
            np.add(base[:, plane, kind], change, out=counts[:, :, plane, kind])
    return counts


def used_members(shares: NDArray[np.uint32]) -> tuple[NDArray[np.int64], NDArray[np.uint32]]:
    """The members with some weight and their weights, padded with weight 0 to full fives."""
    members = np.flatnonzero(shares)
    padding = -len(members) % MEMBERS_PER_PASS
    padded = np.concatenate([members, np.repeat(members[-1:], padding)])
    return padded, np.concatenate([shares[members], np.zeros(padding, np.uint32)])
