"""Thresholds of given weights: a class's best after another's, the others fixed, in turn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.ensemble.search.oof import Levels, Oof
from pipeline.ensemble.search.threshold_grid import middle_of_best
from pipeline.metrics import Metric
from pipeline.metrics.metric import ImageStatistics

# Statistics of (image, class) pairs that are held at once, of 32 bytes or so each.
STATISTICS_AT_ONCE = 1 << 19

Measure = Callable[[Levels], ImageStatistics]  # as `Oof.weigh` returns it


@dataclass(frozen=True)
class ThresholdAscent:
    """Climbs the grid of these maps, one class at a time."""

    oof: Oof
    metric: Metric

    def from_levels(self, measure: Measure, levels: Levels, stride: int, sweeps: int) -> Levels:
        """Levels (C,) after choosing each class's best with the others fixed, in turn."""
        levels = levels.copy()
        for _ in range(sweeps):
            before = levels.copy()
            for plane in range(len(levels)):
                grid = np.arange(levels[plane] % stride, len(self.oof.grid), stride)
                trials = np.repeat(levels[None], len(grid), axis=0)
                trials[:, plane] = grid
                levels[plane] = grid[middle_of_best(self._scores(measure, trials))]
            if (levels == before).all() or len(levels) == 1:
                break
        return levels

    def score(self, measure: Measure, levels: Levels) -> float:
        """The score of levels (C,)."""
        return float(self._scores(measure, levels[None])[0])

    def _scores(self, measure: Measure, levels: Levels) -> NDArray[np.float64]:
        """The score of each row of levels (S, C); a few rows at a time, to bound memory."""
        step = max(1, STATISTICS_AT_ONCE // (self.oof.images * self.oof.classes))
        parts = [levels[first : first + step] for first in range(0, len(levels), step)]
        return np.concatenate([self.metric.aggregate(measure(part)) for part in parts])
