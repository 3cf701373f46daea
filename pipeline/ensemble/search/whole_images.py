"""Whole OOF images, for metrics that need more than counts, such as those of objects.

Each measurement reads and decides the maps again, so the grid is coarse, nothing is pruned, and
what was measured is remembered: choices made without one fold or another try the same blends.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from pipeline.ensemble.blending.fixed_point import ONE
from pipeline.ensemble.blending.kernel import blend, decide
from pipeline.ensemble.blending.threads import ordered
from pipeline.ensemble.search import disputed_classes
from pipeline.ensemble.search.correlation import pearson
from pipeline.ensemble.search.oof import Levels, OofSource, Sample, Shares
from pipeline.ensemble.search.sampling import SEARCHED_VALUES, SEED, draw_images
from pipeline.metrics import Metric
from pipeline.metrics.metric import ImageStatistics

COARSE_GRID = tuple(round(0.2 + 0.05 * step, 2) for step in range(13))
SAMPLED = 100  # images at least: whole ones, of which many pixels are no reason to have few
REMEMBERED = 200_000  # statistics, of half a kilobyte or so each


@dataclass(frozen=True)
class WholeImages:
    """See `oof.Oof` for what it answers; `metric` measures the decisions of each image."""

    source: OofSource
    metric: Metric
    classes: int
    grid: NDArray[np.float64]
    start: int
    sample: Sample | None = None
    sweeps_thresholds: bool = False
    known: dict[bytes, ImageStatistics] = field(default_factory=dict, compare=False)

    @property
    def names(self) -> tuple[str, ...]:
        return self.source.names

    @property
    def images(self) -> int:
        return len(self.source.ids)

    def weigh(self, shares: Shares) -> Callable[[Levels], ImageStatistics]:
        def measure(levels: Levels) -> ImageStatistics:
            thresholds = self.grid[levels]
            rows = ordered(lambda id: self._measured(id, shares, thresholds), self.source.ids)
            return np.stack(list(rows), axis=1)

        return measure

    def select(self, rows: NDArray[np.int64]) -> WholeImages:
        ids = tuple(self.source.ids[row] for row in rows)
        sample = self.sample and self.sample.select(rows)
        return replace(self, source=replace(self.source, ids=ids), sample=sample)

    def sampled(self) -> WholeImages:
        """The same with a sample of the images to search on, where there are many pixels."""
        first = self.source.maps(self.source.ids[0])
        size = len(first) * math.prod(first[0].shape)
        count = max(SAMPLED, SEARCHED_VALUES // size)
        if self.images <= count:
            return self
        # Of like images: nothing is known of them yet.
        alike = np.zeros(self.images, np.int64)
        images = draw_images(alike, count, np.random.default_rng(SEED))
        return replace(self, sample=Sample(self.select(images), images))

    def error_correlations(self, shares: Shares) -> NDArray[np.float64]:
        """Over all pixels, void ones included."""
        moments = ordered(lambda id: self._moments(id, shares), self.source.ids)
        return pearson(np.sum(list(moments), axis=0))

    def _measured(
        self, id: str, shares: Shares, thresholds: NDArray[np.float64]
    ) -> ImageStatistics:
        """The statistics of one image for each row of thresholds, (S, *shape)."""
        keys = [_key(id, shares, row) for row in thresholds]
        found = {key: self.known[key] for key in keys if key in self.known}
        missing = [place for place, key in enumerate(keys) if key not in found]
        if missing:
            if len(self.known) > REMEMBERED:
                self.known.clear()
            for place, statistics in zip(
                missing, self._decided(id, shares, thresholds[missing]), strict=True
            ):
                found[keys[place]] = self.known[keys[place]] = statistics
        return np.stack([found[key] for key in keys])

    def _decided(
        self, id: str, shares: Shares, thresholds: NDArray[np.float64]
    ) -> Iterator[ImageStatistics]:
        maps, truth, weights = self.source.maps(id), self.source.truth(id), (shares / ONE).tolist()
        multiclass, mean = self.source.multiclass, self.source.mean
        for row in thresholds.tolist():
            decision = decide(maps, weights, row, multiclass=multiclass, mean=mean, threads=1)
            yield self.metric.measure(decision, truth)

    def _moments(self, id: str, shares: Shares) -> NDArray[np.float64]:
        """Count and sums of x, y, xx, yy, xy of errors, a row a member, (M, 6)."""
        maps, truth = self.source.maps(id), self.source.truth(id).planes.astype(np.float64)
        weights = (shares / ONE).tolist()
        blended = blend(maps, weights, self.source.mean, threads=1) - truth
        rows = []
        for own in np.eye(len(weights)):
            error = blend(maps, own.tolist(), self.source.mean, threads=1) - truth
            products = (error * error, blended * blended, error * blended)
            rows.append([error.size, error.sum(), blended.sum(), *(p.sum() for p in products)])
        return np.array(rows)


def _key(id: str, shares: Shares, thresholds: NDArray[np.float64]) -> bytes:
    return id.encode() + b"\0" + shares.tobytes() + thresholds.tobytes()


def whole_images(
    source: OofSource, metric: Metric, grid: Sequence[float] | None = None
) -> WholeImages:
    """The images of a source, measured by a metric; grid: the thresholds to try, ascending."""
    tried = np.array(grid or (disputed_classes.RATIO_GRID if source.multiclass else COARSE_GRID))
    classes = len(source.maps(source.ids[0])[0])
    return WholeImages(source, metric, classes, tried, int(np.abs(tried - 0.5).argmin()))
