"""Counts of all images by blend, made once where several folds, rules and parts ask for them.

Choices without one fold or another try the same weights, and a fold's counts are rows of the table
of all images. A table is made of all of them when weights are asked for a second time.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.ensemble.search.oof import Shares

# Of tables that are kept: three of 5,000 images and a class. The latest is always kept.
KEPT_BYTES = 1 << 26

Numbers = NDArray[np.int64]
Table = NDArray[Any]


class SharedCounts:
    """Tables (images, ...) by weights. make(shares, rows): those of some of `images` images."""

    def __init__(self, make: Callable[[Shares, Numbers], Table], images: int) -> None:
        self._make, self._every = make, np.arange(images)
        self._kept: OrderedDict[bytes, Table] = OrderedDict()
        self._asked: set[bytes] = set()

    def of(self, shares: Shares, rows: Numbers) -> Table:
        """The rows of the table of these weights."""
        key = shares.tobytes()
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key][rows]
        if key not in self._asked and len(rows) < len(self._every):
            self._asked.add(key)
            return self._make(shares, rows)
        table = self._make(shares, self._every)
        self._keep(key, table)
        return table[rows]

    def _keep(self, key: bytes, table: Table) -> None:
        self._kept[key] = table
        while len(self._kept) > 1 and len(self._kept) * table.nbytes > KEPT_BYTES:
            self._kept.popitem(last=False)
