"""The data that choices are made on: OOF maps, fold and group of each image, parts to leave out.

A choice is judged by leaving a part out, choosing on the rest, and scoring that part. Parts are
the folds; where a single fold is left, its groups are dealt into parts.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.ensemble.search.oof import Oof

PARTS = 4  # that the groups of a single fold are dealt into

Numbers = NDArray[np.int64]


@dataclass(frozen=True)
class Evidence:
    """folds, groups: (images,), the number of each image's fold and group."""

    oof: Oof
    folds: Numbers
    groups: Numbers

    def select(self, rows: Numbers) -> Evidence:
        """The same of some of the images."""
        return Evidence(self.oof.select(rows), self.folds[rows], self.groups[rows])

    def parts(self) -> Numbers | None:
        """The number of each image's part (images,); None where a single group is all there is."""
        if len(np.unique(self.folds)) > 1:
            return self.folds
        return dealt(self.groups) if len(np.unique(self.groups)) > 1 else None

    def without_each(self, parts: Numbers) -> Iterator[tuple[int, Evidence]]:
        """Each part's number, and all that is not in it."""
        for part in np.unique(parts).tolist():
            yield part, self.select(np.flatnonzero(parts != part))


def dealt(groups: Numbers, count: int = PARTS) -> Numbers:
    """Whole groups dealt into parts of like size: the largest group first, to the smallest part."""
    names, sizes = np.unique(groups, return_counts=True)
    filled = np.zeros(min(count, len(names)), np.int64)
    part_of = {}
    for place in np.argsort(-sizes, kind="stable").tolist():
        smallest = int(filled.argmin())
        part_of[int(names[place])] = smallest
        filled[smallest] += sizes[place]
    return np.array([part_of[int(group)] for group in groups], np.int64)
