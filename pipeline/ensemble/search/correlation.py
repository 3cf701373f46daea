"""Correlation of members' errors, over the disputed pixels."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.ensemble.blending.fixed_point import top
from pipeline.ensemble.blending.numba_loops import add_moments
from pipeline.ensemble.blending.threads import in_parts
from pipeline.ensemble.search.threshold_counts import used_members


def correlations(
    values: NDArray[Any],
    starts: NDArray[np.int64],
    lengths: NDArray[np.int64],
    strides: NDArray[np.int64],
    truths: NDArray[np.int64],
    shares: NDArray[np.uint32],
) -> NDArray[np.float64]:
    """Pearson's r of each member's error (value - truth) and the blend's, (M,).

    values, starts, lengths: segments as in `counts`, of any shape; strides: how far apart a
    segment's members are; truths: 0 or 1. All but `values` of one shape.
    """
    starts, lengths, strides, truths = (
        np.ascontiguousarray(table).reshape(-1) for table in (starts, lengths, strides, truths)
    )
    moments = np.zeros((len(starts), len(shares), 6))
    scale, chosen = float(top(values.dtype)), used_members(shares)

    def work(part: slice) -> None:
        where = (starts[part], lengths[part], strides[part], truths[part].astype(np.float64))
        add_moments(values, *where, *chosen, scale, moments[part])

    in_parts(work, lengths)
    return pearson(moments.sum(axis=0))


def pearson(moments: NDArray[np.float64]) -> NDArray[np.float64]:
    """r of (..., 6): the count and the sums of x, y, xx, yy, xy; 0 where one does not vary."""
    count, x, y, xx, yy, xy = np.moveaxis(moments, -1, 0)
    spread = (count * xx - x * x) * (count * yy - y * y)
    shared = count * xy - x * y
    return np.where(spread > 0, shared / np.sqrt(np.where(spread > 0, spread, 1)), 0.0)
