"""Positions where a decision changes along the scan order: from blocks of rows to run lengths."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from pipeline.ensemble.blending.numba_loops import differing_bytes


@dataclass(frozen=True)
class EdgeBlock:
    """The edges of some rows of a decision.

    first: number of the first row; changes: int64 (E,), flat places, counted from that row, that
    differ from the place above; top, bottom: bool (W,), the outer rows.
    """

    first: int
    changes: NDArray[np.int64]
    top: NDArray[np.bool_]
    bottom: NDArray[np.bool_]

    @classmethod
    def of(cls, decided: NDArray[np.bool_], first: int) -> EdgeBlock:
        """The edges of decisions bool (rows, W) that begin at row `first` of the image."""
        changes = _changes(decided.reshape(-1), decided.shape[1])
        return cls(first, changes, decided[0].copy(), decided[-1].copy())


def _changes(decided: NDArray[np.bool_], step: int) -> NDArray[np.int64]:
    """The places of bool (P,), from `step` on, that differ from the one `step` before."""
    words = (decided.size - step) // 8
    end = 8 * words
    places = np.empty(end, np.int64)
    above, below = decided[:end].view(np.uint64), decided[step : step + end].view(np.uint64)
    found = differing_bytes(below, above, places)
    rest = np.flatnonzero(decided[step + end :] != decided[end : decided.size - step]) + end
    return np.concatenate([places[:found], rest]) + step


def runs_from_edges(blocks: Sequence[EdgeBlock], height: int, width: int) -> NDArray[np.int64]:
    """Runs (start from 0, length), int64 (R, 2), scanning down, then right, over H x W pixels."""
    ordered = sorted(blocks, key=lambda block: block.first)
    found = [ordered[0].changes]
    for above, below in pairwise(ordered):
        start = below.first * width
        found += [np.flatnonzero(above.bottom != below.top) + start, below.changes + start]
    places = np.concatenate(found)
    head, tail = ordered[0].top, ordered[-1].bottom
    if width > 1:
        rows = places // width
        # The scan goes on from the bottom of a column to the head of the next.
        turns = (np.flatnonzero(tail[:-1] != head[1:]) + 1) * height
        places = np.sort(np.concatenate([(places - rows * width) * height + rows, turns]))
    begin = np.zeros(int(head[0]), np.int64)
    end = np.full(int(tail[-1]), height * width, np.int64)
    edges = np.concatenate([begin, places, end])
    return np.stack([edges[::2], edges[1::2] - edges[::2]], axis=1)
