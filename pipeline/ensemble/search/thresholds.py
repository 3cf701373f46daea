"""The competing thresholds: 0.5, the middle of the plateau, and the best one found.

A searched threshold is the best on the maps it was searched on, and few images have several bests
by chance. So it must be worth its trouble: of the rules, from the simplest on, the first one wins
whose nested score is within one standard error of the best rule's (Breiman et al.,
"Classification and Regression Trees", 1984, chapter 3; here the error is of the difference, paired
by group).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from pipeline.ensemble.search.evidence import Evidence
from pipeline.ensemble.search.given_weights import BlendWeights
from pipeline.ensemble.search.oof import Levels
from pipeline.ensemble.search.resampling import paired_error, standard_error, without_each
from pipeline.ensemble.search.threshold_ascent import STATISTICS_AT_ONCE
from pipeline.ensemble.search.weights import (
    GAIN,
    Choice,
    Thresholds,
    scored_at,
    search_choice,
)
from pipeline.metrics import Metric
from pipeline.metrics.metric import ImageStatistics

Rule = Literal["half", "plateau", "searched", "given"]
Choices = dict[Rule, Choice]  # the simplest first
Each = TypeVar("Each", bound=str)  # a rule, for thresholds or for something else


def candidates(
    evidence: Evidence,
    metric: Metric,
    weights: Callable[[Rule], BlendWeights],
    thresholds: Thresholds = "search",
) -> Choices:
    """A choice for each rule, all made on this evidence; given thresholds are the only rule.

    weights: those that a rule is given, or how it finds them (the rule of the plateau has those of
    the searched thresholds).
    """
    oof = evidence.oof
    if not isinstance(thresholds, str):
        return {"given": search_choice(oof, metric, weights("given"), thresholds)}
    half = [float(oof.grid[oof.start])] * oof.classes
    searched = search_choice(oof, metric, weights("searched"), "search")
    levels = plateau_levels(evidence, metric, searched)
    return {
        "half": search_choice(oof, metric, weights("half"), half),
        "plateau": scored_at(oof, metric, searched.shares, levels),
        "searched": searched,
    }


def plateau_levels(evidence: Evidence, metric: Metric, best: Choice) -> Levels:
    """The middles (C,) of the stretches around the best levels that score as well.

    As well: less than one standard error of the difference below; a class at a time.
    """
    measure = evidence.oof.weigh(best.shares)
    levels = best.levels.copy()
    for plane in range(len(levels)):
        trials = np.repeat(best.levels[None], len(evidence.oof.grid), axis=0)
        trials[:, plane] = np.arange(len(trials))
        as_good = _as_good(evidence, metric, measure, trials, int(best.levels[plane]))
        edges = np.flatnonzero(~np.concatenate([[False], as_good, [False]])) - 1
        first = edges[edges < best.levels[plane]].max() + 1
        last = edges[edges > best.levels[plane]].min() - 1
        levels[plane] = (first + last) // 2
    return levels


def _as_good(
    evidence: Evidence,
    metric: Metric,
    measure: Callable[[Levels], ImageStatistics],
    trials: Levels,
    best: int,
) -> NDArray[np.bool_]:
    """Which rows of trials (T, C) score within one standard error of row `best`."""
    groups = evidence.groups
    single = len(np.unique(groups)) == 1
    reference = measure(trials[best : best + 1])
    top = metric.aggregate(reference)
    left = None if single else without_each(metric, reference, groups)
    step = max(1, STATISTICS_AT_ONCE // (evidence.oof.images * evidence.oof.classes))
    parts = []
    for first in range(0, len(trials), step):
        statistics = measure(trials[first : first + step])
        error: float | NDArray[np.float64] = 0.0
        if left is not None:
            error = standard_error(left - without_each(metric, statistics, groups))
        parts.append(top - metric.aggregate(statistics) <= error + GAIN)
    return np.concatenate(parts)


def scores_of(metric: Metric, nested: Mapping[Each, ImageStatistics]) -> dict[Each, float]:
    """The score of each rule's nested statistics."""
    return {rule: float(metric.aggregate(statistics)) for rule, statistics in nested.items()}


def simplest(
    metric: Metric, groups: NDArray[np.int64], nested: Mapping[Each, ImageStatistics]
) -> Each:
    """The first rule whose nested statistics score within one standard error of the best rule's."""
    scores = scores_of(metric, nested)
    best = max(scores, key=lambda rule: scores[rule])
    for rule, statistics in nested.items():
        error = paired_error(metric, nested[best], statistics, groups)
        if scores[best] - scores[rule] <= error + GAIN:
            return rule
    return best
