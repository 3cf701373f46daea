"""An interval for the score on another test set: a bootstrap over groups.

Images of one group (a car, a patient) are alike, so groups are drawn, not images. Two things
are uncertain: which groups the score was measured on, and which the test set will hold. A draw
plays both: a measured score and a test score from the same groups, and their difference in units
of the spread that the drawn measured groups show. A few groups that do badly make that ratio
skewed, which is what the interval has to know (the bootstrap-t of Efron and Tibshirani, "An
Introduction to the Bootstrap", 1993, chapter 12, for a future sample as in Mojirsheibani and
Tibshirani, "Some Results on Bootstrap Prediction Intervals", 1996).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.metrics import Metric
from pipeline.metrics.metric import ImageStatistics

DRAWS = 2000
_ROUNDING = 1e-9  # a spread of groups that all score alike
_MANY = 1000  # groups whose spread is as good as known: all draws are measured in one unit


@dataclass(frozen=True)
class Interval:
    """The score lies between low and high with the probability `level`."""

    low: float
    high: float
    level: float


def score_interval(
    statistics: ImageStatistics,
    groups: Sequence[str],
    metric: Metric,
    test_groups: int,
    seed: int,
    level: float = 0.95,
) -> Interval:
    """The interval for the score on a test set of `test_groups` groups.

    statistics: (images, *shape of one); groups: each image's. With one group only
    nothing is known about others, and the interval has no width; nor has it where all groups
    score alike. It holds what the groups at hand can tell: a kind of image that none of them has
    is in no interval.
    """
    grouped = _Grouped(statistics, groups, metric)
    everything = np.arange(grouped.count)
    score, spread = grouped.score(everything), _spread_of(grouped)
    random = np.random.default_rng(seed)
    distances = []
    for _ in range(DRAWS):
        measured = random.integers(0, grouped.count, grouped.count)
        test = random.integers(0, grouped.count, test_groups)
        unit = spread(measured)
        if unit > _ROUNDING:  # else one group over and over: nothing to measure a distance in
            distances.append((grouped.score(test) - grouped.score(measured)) / unit)
    if not distances:
        return Interval(score, score, level)
    ends = np.quantile(distances, [(1 - level) / 2, (1 + level) / 2])
    low, high = np.clip(score + spread(everything) * ends, 0, 1)
    return Interval(float(low), float(high), level)


def _spread_of(grouped: _Grouped) -> Callable[[NDArray[np.int64]], float]:
    """The standard deviation of what the groups of a draw add to the score, by the jackknife."""
    if grouped.count > _MANY:
        return lambda drawn: 1.0
    if grouped.count == 1:
        return lambda drawn: 0.0
    everything = np.arange(grouped.count)
    without = np.array([grouped.score(np.delete(everything, each)) for each in everything])
    return lambda drawn: float(without[drawn].std()) * (grouped.count - 1)


class _Grouped:
    """The statistics of every image, by group."""

    def __init__(self, statistics: ImageStatistics, groups: Sequence[str], metric: Metric) -> None:
        _, numbers = np.unique(np.asarray(groups), return_inverse=True)
        self._statistics = statistics[np.argsort(numbers, kind="stable")]
        self._sizes = np.bincount(numbers)
        self._starts = np.cumsum(self._sizes) - self._sizes
        self._metric = metric
        self.count = len(self._sizes)

    def score(self, groups: NDArray[np.int64]) -> float:
        """The metric over all images of the groups numbered, with repetitions."""
        sizes = self._sizes[groups]
        ends = np.cumsum(sizes)
        rows = np.arange(ends[-1]) + np.repeat(self._starts[groups] - ends + sizes, sizes)
        return float(self._metric.aggregate(self._statistics[rows]))
