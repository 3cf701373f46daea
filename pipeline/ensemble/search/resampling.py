"""Jackknife and bootstrap over groups: how certain a difference of scores is.

Images of one group (a car, a patient) are alike, so groups are left out and drawn, never images.
Two choices are compared on the same groups, because what makes a group hard does so for both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.metrics import Metric
from pipeline.metrics.metric import ImageStatistics

DRAWS = 2000
LEVEL = 0.95
ROUNDING = 1e-9  # a spread of groups that all differ alike
Groups = NDArray[np.int64]


@dataclass(frozen=True)
class Difference:
    """By how much one score is above another; it lies in low..high with the probability `level`."""

    value: float
    low: float
    high: float
    level: float = LEVEL


def group_numbers(groups: Sequence[str]) -> Groups:
    """The names of groups as numbers from 0."""
    return np.unique(np.asarray(groups), return_inverse=True)[1].astype(np.int64)


def without_each(
    metric: Metric, statistics: ImageStatistics, groups: Groups
) -> NDArray[np.float64]:
    """The score of all images but a group's, for each group: (G, ...).

    statistics: (..., images, *shape of one); groups: each image's number. Two groups at least.
    """
    sums, sizes = sums_by_group(metric, statistics, groups)
    assert len(sizes) > 1, "without the only group nothing is left"
    return metric.of_sums(sums.sum(axis=0) - sums, sizes.sum() - sizes)


def standard_error(differences: NDArray[np.float64]) -> NDArray[np.float64]:
    """The jackknife's standard error of a difference of scores; (G, ...) without each group."""
    count = len(differences)
    return np.asarray(differences.std(axis=0) * np.sqrt(count - 1))


def paired_error(
    metric: Metric, first: ImageStatistics, second: ImageStatistics, groups: Groups
) -> float:
    """The standard error of the score of `first` less that of `second`; 0 with a single group."""
    if len(np.unique(groups)) == 1:
        return 0.0
    scores = [without_each(metric, statistics, groups) for statistics in (first, second)]
    return float(standard_error(scores[0] - scores[1]))


def paired_difference(
    metric: Metric, first: ImageStatistics, second: ImageStatistics, groups: Groups, seed: int
) -> Difference:
    """The score of `first` less that of `second`, and an interval: a bootstrap-t over groups.

    The distance of a drawn difference is taken in units of its own standard error, as in
    `interval.score_interval`, so that few groups make a wide interval. One group tells nothing
    about others: no width.
    """
    value = float(metric.aggregate(first) - metric.aggregate(second))
    sides = [sums_by_group(metric, statistics, groups) for statistics in (first, second)]
    sizes = sides[0][1]
    count = len(sizes)
    if count == 1:
        return Difference(value, value, value)
    drawn = np.random.default_rng(seed).integers(0, count, (DRAWS, count))
    times = np.stack([np.bincount(row, minlength=count) for row in drawn])
    scores = [metric.of_sums(np.tensordot(times, sums, 1), times @ sizes) for sums, _ in sides]
    left = [metric.of_sums(sums.sum(axis=0) - sums, sizes.sum() - sizes) for sums, _ in sides]
    influence = (left[0] - left[1])[drawn]
    units, unit = influence.std(axis=1) * (count - 1), (left[0] - left[1]).std() * (count - 1)
    told = units > ROUNDING  # else one group over and over: nothing to measure a distance in
    if not told.any():
        return Difference(value, value, value)
    distances = (scores[0] - scores[1] - value)[told] / units[told]
    high, low = value - unit * np.quantile(distances, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Difference(value, float(low), float(high))


def sums_by_group(
    metric: Metric, statistics: ImageStatistics, groups: Groups
) -> tuple[NDArray[np.float64] | NDArray[np.int64], NDArray[np.int64]]:
    """Sums of the addends of each group (G, ...), and how many images it has (G,)."""
    order = np.argsort(groups, kind="stable")
    starts = np.flatnonzero(np.diff(groups[order], prepend=-1))
    sizes = np.diff([*starts.tolist(), len(groups)])
    return np.add.reduceat(metric.addends(statistics)[order], starts, axis=0), sizes
