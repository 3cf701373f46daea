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

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.ensemble.search.resampling import DRAWS, ROUNDING, group_numbers, sums_by_group
from pipeline.metrics import Metric
from pipeline.metrics.counts import Amounts
from pipeline.metrics.metric import ImageStatistics

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
    sums, sizes = sums_by_group(metric, statistics, group_numbers(groups))
    count = len(sizes)
    score = float(metric.aggregate(statistics))
    if count == 1:
        return Interval(score, score, level)
    random = np.random.default_rng(seed)
    measured, test = np.empty((DRAWS, count), np.int64), np.empty((DRAWS, test_groups), np.int64)
    for draw in range(DRAWS):
        measured[draw] = random.integers(0, count, count)
        test[draw] = random.integers(0, count, test_groups)
    spread, spreads = 1.0, np.ones(DRAWS)
    if count <= _MANY:
        left = metric.of_sums(sums.sum(axis=0) - sums, sizes.sum() - sizes)
        spread, spreads = (each.std(axis=-1) * (count - 1) for each in (left, left[measured]))
    told = spreads > ROUNDING  # else one group over and over: nothing to measure a distance in
    if not told.any():
        return Interval(score, score, level)
    scores = [
        metric.of_sums(_summed(sums, drawn), sizes[drawn].sum(axis=1)) for drawn in (test, measured)
    ]
    distances = (scores[0] - scores[1])[told] / spreads[told]
    ends = np.quantile(distances, [(1 - level) / 2, (1 + level) / 2])
    low, high = np.clip(score + spread * ends, 0, 1)
    return Interval(float(low), float(high), level)


def _summed(addends: Amounts, drawn: NDArray[np.int64]) -> Amounts:
    """Addends of groups (G, ...), added up over the groups of each draw (N, drawn): (N, ...)."""
    return np.stack([addends[groups].sum(axis=0) for groups in drawn])
