"""How far a score on another test set may be from the one measured: a bootstrap over groups.

Images of one group (a car, a patient) are alike, so groups are drawn and not images. Two things
are uncertain: which groups the score was measured on, and which the test set will hold; a draw
therefore resamples the measured groups and then draws the test's own number from that sample
(Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, for the percentile interval).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.competition.metrics import Metric
from pipeline.ensemble.oof import Measures

DRAWS = 2000


@dataclass(frozen=True)
class Interval:
    """The score lies between low and high with the probability `level`."""

    low: float
    high: float
    level: float


def score_interval(
    measures: Measures,
    groups: Sequence[str],
    metric: Metric,
    test_groups: int,
    seed: int,
    level: float = 0.95,
) -> Interval:
    """The interval for the score on a test set of `test_groups` groups.

    measures: (images, *shape of the metric's measure); groups: each image's. With one group only
    nothing is known about others, and the interval has no width.
    """
    _, numbers = np.unique(np.asarray(groups), return_inverse=True)
    images = np.argsort(numbers, kind="stable")
    sizes = np.bincount(numbers)
    starts = np.cumsum(sizes) - sizes
    random = np.random.default_rng(seed)
    scores = []
    for _ in range(DRAWS):
        world = random.integers(0, len(sizes), len(sizes))
        drawn = world[random.integers(0, len(sizes), test_groups)]
        ends = np.cumsum(sizes[drawn])
        within = np.arange(ends[-1]) - np.repeat(ends - sizes[drawn], sizes[drawn])
        rows = images[np.repeat(starts[drawn], sizes[drawn]) + within]
        scores.append(float(metric.aggregate(measures[rows])))
    low, high = np.quantile(scores, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(low), float(high), level)
