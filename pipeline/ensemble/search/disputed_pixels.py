"""Exact pruning: the OOF pixels that some weights and thresholds could decide otherwise.

A blend is a convex sum, so it lies between the least and the largest of its members' values. Where
all of them reach the highest threshold to be tried, or none the lowest, no choice changes the
decision: such a pixel is counted once. Only the others, the disputed ones, are kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.data.ground_truth import Truth
from pipeline.ensemble.blending.fixed_point import ONE, level_shift, level_threshold, nearest_level
from pipeline.ensemble.blending.threads import ordered
from pipeline.ensemble.search.correlation import correlations
from pipeline.ensemble.search.oof import Levels, OofSource, Sample, Shares
from pipeline.ensemble.search.sampling import Blocks, draw_sample
from pipeline.ensemble.search.scratch import Spool
from pipeline.ensemble.search.shared_counts import SharedCounts
from pipeline.ensemble.search.threshold_counts import counts_at, passing
from pipeline.metrics.metric import ImageStatistics

BOUNDS = (0.1, 0.9)
Bits = NDArray[np.bool_]


@dataclass(frozen=True)
class Disputed:
    """The disputed pixels of independent classes, for metrics that are made of counts.

    blocks: uint8 or uint16, an (M, P) block for each image (C, truth value); base: (images, C, 4),
    tp, fp, fn and tn of the pixels that are not disputed; lowest: grid[0] as a level of `fixed`;
    counts: by weights, the pixels of each block that reach each level; rows: the images in it. The
    rest is as `oof.Oof` says.
    """

    names: tuple[str, ...]
    grid: NDArray[np.float64]
    start: int
    lowest: int
    blocks: Blocks
    base: NDArray[np.int64]
    counts: SharedCounts
    rows: NDArray[np.int64]
    sample: Sample | None = None
    sweeps_thresholds: bool = True

    @classmethod
    def of(
        cls,
        names: tuple[str, ...],
        grid: NDArray[np.float64],
        start: int,
        lowest: int,
        blocks: Blocks,
        base: NDArray[np.int64],
    ) -> Disputed:
        """Of these blocks, without a sample."""

        def reached(shares: Shares, rows: NDArray[np.int64]) -> NDArray[np.int32]:
            some, shift = blocks.select(rows), level_shift(blocks.values.dtype)
            places = some.starts.reshape(-1), some.lengths.reshape(-1)
            flat = passing(some.values, *places, shares, shift)
            return some.whole(flat.reshape(*some.lengths.shape, -1))

        counts = SharedCounts(reached, len(base))
        return cls(names, grid, start, lowest, blocks, base, counts, np.arange(len(base)))

    @property
    def images(self) -> int:
        return len(self.base)

    @property
    def classes(self) -> int:
        return int(self.base.shape[1])

    @property
    def share(self) -> float:
        """Which part of all valid pixels is disputed."""
        kept = int(self.blocks.counted.sum())
        return kept / max(1, kept + int(self.base.sum()))

    def weigh(self, shares: Shares) -> Callable[[Levels], ImageStatistics]:
        reached, counted = self.counts.of(shares, self.rows), self.blocks.counted
        return lambda levels: counts_at(reached, counted, self.base, levels + self.lowest)

    def select(self, rows: NDArray[np.int64]) -> Disputed:
        return replace(
            self,
            blocks=self.blocks.select(rows),
            base=self.base[rows],
            rows=self.rows[rows],
            sample=self.sample and self.sample.select(rows),
        )

    def sampled(self, folder: Path) -> Disputed:
        """The same with a sample to search on, where there is much to go over."""
        drawn = draw_sample(self.blocks, folder)
        if drawn is None:
            return self
        images, blocks = drawn
        small = Disputed.of(
            self.names, self.grid, self.start, self.lowest, blocks, self.base[images]
        )
        return replace(self, sample=Sample(small, images))

    def error_correlations(self, shares: Shares) -> NDArray[np.float64]:
        """Over disputed pixels: on the others all members err alike."""
        blocks = self.blocks
        truths = np.broadcast_to([0, 1], blocks.lengths.shape)
        places = (blocks.starts, blocks.lengths, blocks.lengths)
        return correlations(blocks.values, *places, truths, shares)


def find_disputed(
    source: OofSource,
    folder: Path,
    bounds: tuple[float, float] = BOUNDS,
    *,
    prune: bool = True,
) -> Disputed:
    """Read all OOF maps once and keep, in a nameless file of `folder`, the disputed pixels.

    bounds: the lowest and highest threshold that will be tried (moved to the nearest levels).
    prune: False keeps every valid pixel, to show that nothing is lost by it.
    """
    mean, kind = source.mean, source.scale_type()
    lowest, highest = _level_bounds(source, bounds)
    least, most = _value_bounds(source, bounds)
    levels = [level_threshold(level, kind) for level in range(lowest, highest + 1)]
    spool, tables = Spool(folder), []
    for blocks, base in ordered(lambda id: _sort(source, id, least, most, prune), source.ids):
        for block in blocks:
            spool.append(block)
        tables.append((base, [block.shape[1] for block in blocks]))
    base = np.stack([table[0] for table in tables])
    lengths = np.array([table[1] for table in tables], np.int64).reshape(*base.shape[:2], 2)
    ends = np.cumsum(lengths * len(source.names)).reshape(lengths.shape)
    depth = len(source.names)
    return Disputed.of(
        names=source.names,
        grid=mean.from_scale(np.array(levels)),
        start=min(max(nearest_level(mean.to_scale(0.5), kind), lowest), highest) - lowest,
        lowest=lowest,
        blocks=Blocks(spool.finish(kind), ends - lengths * depth, lengths, depth),
        base=base,
    )


def count_disputed(source: OofSource, bounds: tuple[float, float] = BOUNDS) -> int:
    """How many numbers `find_disputed` would keep; nothing is written."""
    least, most = _value_bounds(source, bounds)
    found = ordered(lambda id: _sort(source, id, least, most, True), source.ids)
    return sum(block.size for blocks, _ in found for block in blocks)


def _level_bounds(source: OofSource, bounds: tuple[float, float]) -> tuple[int, int]:
    low, high = (
        nearest_level(source.mean.to_scale(bound), source.scale_type()) for bound in bounds
    )
    return low, high


def _value_bounds(source: OofSource, bounds: tuple[float, float]) -> tuple[int, int]:
    """The least values that reach the bounds' levels."""
    shift = level_shift(source.scale_type())
    low, high = (-(-(level << shift) // ONE) for level in _level_bounds(source, bounds))
    return low, high


def _sort(
    source: OofSource, id: str, least: int, most: int, prune: bool
) -> tuple[list[NDArray[Any]], NDArray[np.int64]]:
    """Of one image: a block (M, P) for each class and truth value, and the base counts (C, 4)."""
    maps, truth = source.maps(id), source.truth(id)
    blocks, base = [], []
    for number, plane in enumerate(truth.planes):
        rows = [values[number : number + 1] for values in maps]
        always, never = _agreed(source.scaled(rows), least, most) if prune else _none(plane.size)
        true, valid = plane.reshape(-1) != 0, valid_pixels(truth)
        pairs = ((always, true), (always, ~true), (never, true), (never, ~true))
        base.append([int(np.count_nonzero(a & b & valid)) for a, b in pairs])
        for wanted in (~true, true):
            places = np.flatnonzero(~always & ~never & valid & wanted)
            blocks.append(np.concatenate([row[:, places] for row in source.scaled(rows)]))
    return blocks, np.array(base, np.int64)


def _agreed(rows: Iterator[NDArray[Any]], least: int, most: int) -> tuple[Bits, Bits]:
    """Where every row (1, pixels) reaches `most`, and where none reaches `least`."""
    low = next(rows).copy()
    high = low.copy()
    for row in rows:
        np.minimum(low, row, out=low)
        np.maximum(high, row, out=high)
    return low[0] >= most, high[0] < least


def _none(size: int) -> tuple[Bits, Bits]:
    return np.zeros(size, bool), np.zeros(size, bool)


def valid_pixels(truth: Truth) -> Bits:
    """Where the truth counts, flat bool."""
    return np.ones(truth.planes[0].size, bool) if truth.valid is None else truth.valid.reshape(-1)
