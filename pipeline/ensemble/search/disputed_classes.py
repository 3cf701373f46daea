"""Exact pruning where one class a pixel wins: the pixels that another choice could give away.

The class with the largest blended probability / threshold wins. If in every member one class leads
all others by more than the thresholds tried can make up for, it leads in every blend of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.data.ground_truth import Truth
from pipeline.ensemble.blending.fixed_point import exclusive_scales
from pipeline.ensemble.blending.numba_loops import count_winners
from pipeline.ensemble.blending.threads import in_parts, ordered
from pipeline.ensemble.search.correlation import correlations
from pipeline.ensemble.search.disputed_pixels import valid_pixels
from pipeline.ensemble.search.oof import Levels, OofSource, Sample, Shares
from pipeline.ensemble.search.sampling import Blocks, draw_sample
from pipeline.ensemble.search.scratch import Spool
from pipeline.ensemble.search.threshold_counts import used_members
from pipeline.metrics.metric import ImageStatistics

# Equal thresholds are the plain argmax; a class may be made four times as eager as another.
RATIO_GRID = tuple(0.5 * 2 ** (step / 4) for step in range(-4, 5))


@dataclass(frozen=True)
class DisputedClasses:
    """The disputed pixels of mutually exclusive classes, for metrics that are made of counts.

    blocks: uint8 or uint16, an (M, C, P) block for each image and true class (C + 1; the last:
    none is true); base: (images, C + 1, C), pixels that are not disputed by true and decided class.
    The rest is as `oof.Oof` says.
    """

    names: tuple[str, ...]
    grid: NDArray[np.float64]
    start: int
    blocks: Blocks
    base: NDArray[np.int64]
    sample: Sample | None = None
    sweeps_thresholds: bool = False

    @property
    def images(self) -> int:
        return len(self.base)

    @property
    def classes(self) -> int:
        return int(self.base.shape[2])

    @property
    def share(self) -> float:
        """Which part of all valid pixels is disputed."""
        kept = int(self.blocks.counted.sum())
        return kept / max(1, kept + int(self.base.sum()))

    def weigh(self, shares: Shares) -> Callable[[Levels], ImageStatistics]:
        def measure(levels: Levels) -> ImageStatistics:
            scales = np.stack([exclusive_scales(row) for row in self.grid[levels]])
            return _counts(self.base + self._confusions(shares, scales))

        return measure

    def select(self, rows: NDArray[np.int64]) -> DisputedClasses:
        return replace(
            self,
            blocks=self.blocks.select(rows),
            base=self.base[rows],
            sample=self.sample and self.sample.select(rows),
        )

    def sampled(self, folder: Path) -> DisputedClasses:
        """The same with a sample to search on, where there is much to go over."""
        drawn = draw_sample(self.blocks, folder)
        if drawn is None:
            return self
        images, blocks = drawn
        small = replace(self, blocks=blocks, base=self.base[images])
        return replace(self, sample=Sample(small, images))

    def error_correlations(self, shares: Shares) -> NDArray[np.float64]:
        """Over disputed pixels and all classes: on the others all members err alike."""
        planes, blocks = np.arange(self.classes), self.blocks
        lengths = np.repeat(blocks.lengths[..., None], self.classes, axis=-1)
        starts = blocks.starts[..., None] + planes * lengths
        truths = np.broadcast_to(
            np.eye(self.classes + 1, self.classes, dtype=np.int64), starts.shape
        )
        return correlations(blocks.values, starts, lengths, lengths * self.classes, truths, shares)

    def _confusions(self, shares: Shares, scales: NDArray[np.uint64]) -> NDArray[np.int64]:
        """Disputed pixels by true and decided class, (S, images, C + 1, C); scales: (S, C)."""
        blocks = self.blocks
        starts, lengths = blocks.starts.reshape(-1), blocks.lengths.reshape(-1)
        decided = np.zeros((len(starts), len(scales), self.classes), np.int64)
        chosen = used_members(shares)

        def work(part: slice) -> None:
            count_winners(
                blocks.values, starts[part], lengths[part], *chosen, scales, decided[part]
            )

        in_parts(work, lengths)
        found = blocks.whole(decided.reshape(*blocks.lengths.shape, *decided.shape[1:]))
        return found.transpose(2, 0, 1, 3)


def find_disputed_classes(
    source: OofSource, folder: Path, grid: Sequence[float] = RATIO_GRID, *, prune: bool = True
) -> DisputedClasses:
    """Read all OOF maps once and keep, in a nameless file of `folder`, the disputed pixels.

    grid: the thresholds that will be tried, ascending. prune: False keeps every valid pixel, to
    show that nothing is lost by it.
    """
    kind = source.scale_type()
    lead = _reach(grid) if prune else (np.uint64(0), np.uint64(0))
    spool, tables = Spool(folder), []
    for blocks, base in ordered(lambda id: _sort(source, id, *lead), source.ids):
        for block in blocks:
            spool.append(block)
        tables.append((base, [block.shape[2] for block in blocks]))
    lengths = np.array([table[1] for table in tables], np.int64)
    depth = len(source.names) * (lengths.shape[1] - 1)
    ends = np.cumsum(lengths * depth).reshape(lengths.shape)
    return DisputedClasses(
        names=source.names,
        grid=np.array(grid),
        start=int(np.abs(np.array(grid) - 0.5).argmin()),
        blocks=Blocks(spool.finish(kind), ends - lengths * depth, lengths, depth),
        base=np.stack([table[0] for table in tables]),
    )


def count_disputed_classes(source: OofSource, grid: Sequence[float] = RATIO_GRID) -> int:
    """How many numbers `find_disputed_classes` would keep; nothing is written."""
    found = ordered(lambda id: _sort(source, id, *_reach(grid)), source.ids)
    return sum(block.size for blocks, _ in found for block in blocks)


def _reach(grid: Sequence[float]) -> tuple[np.uint64, np.uint64]:
    scales = exclusive_scales(grid)
    return scales.min(), scales.max()


def _sort(
    source: OofSource, id: str, least: np.uint64, most: np.uint64
) -> tuple[list[NDArray[Any]], NDArray[np.int64]]:
    """Of one image: a block (M, C, P) for each true class, and the base confusions (C + 1, C)."""
    maps, truth = source.maps(id), source.truth(id)
    labels, valid, classes = true_classes(truth), valid_pixels(truth), len(truth.planes)
    leader, agreed = _agreed(source.scaled(maps), least, most)
    pairs = (labels * classes + leader)[agreed & valid]
    base = np.bincount(pairs, minlength=(classes + 1) * classes).reshape(classes + 1, classes)
    places = [np.flatnonzero(~agreed & valid & (labels == label)) for label in range(classes + 1)]
    # By member first, so that each is made once.
    parts = [[values[:, chosen] for chosen in places] for values in source.scaled(maps)]
    return [np.stack(blocks) for blocks in zip(*parts, strict=True)], base


def true_classes(truth: Truth) -> NDArray[np.int64]:
    """The class of each pixel, flat; the number of classes where there is none."""
    flat = truth.planes.reshape(len(truth.planes), -1)
    return np.where(flat.any(axis=0), flat.argmax(axis=0), len(flat))


def _agreed(
    maps: Iterable[NDArray[Any]], least: np.uint64, most: np.uint64
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """The first member's class of each pixel, and where it leads in all members beyond reach."""
    members = iter(maps)
    first = next(members)
    leader = first.argmax(axis=0)
    is_leader = np.arange(len(first))[:, None] == leader
    agreed = np.ones(leader.shape, bool)
    for values in chain([first], members):
        own = np.where(is_leader, values, 0).max(axis=0)
        others = np.where(is_leader, 0, values).max(axis=0)
        agreed &= own * least > others * most
    return leader, agreed


def _counts(confusions: NDArray[np.int64]) -> NDArray[np.int64]:
    """(..., C + 1, C) by true and decided class -> (..., C, 4) of tp, fp, fn, tn."""
    found = np.diagonal(confusions, axis1=-2, axis2=-1)
    invented = confusions.sum(axis=-2) - found
    missed = confusions[..., :-1, :].sum(axis=-1) - found
    rest = confusions.sum(axis=(-2, -1))[..., None] - found - invented - missed
    return np.stack([found, invented, missed, rest], axis=-1)
