"""What the models and their blend score on out-of-fold maps: tuned, nested, by fold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.competition.metrics import Metric
from pipeline.ensemble.fixed import integer_weights
from pipeline.ensemble.levels import nearest_levels
from pipeline.ensemble.nested import nested_refusal, nested_score
from pipeline.ensemble.oof import Measures, Oof
from pipeline.ensemble.search import Blend, Thresholds, search_blend


@dataclass(frozen=True)
class Score:
    """tuned: on the maps that the choices were made on; folds: the same, fold by fold;
    nested: every choice made without the fold that is scored, None with a single fold.
    """

    tuned: float
    folds: dict[int, float]
    nested: float | None
    thresholds: tuple[float, ...]


def measured(oof: Oof, blend: Blend) -> Measures:
    """What the metric measures of every image under a blend, (images, …)."""
    shares = integer_weights([blend.weights[name] for name in oof.names])
    levels = nearest_levels(oof.grid, blend.thresholds, oof.classes)
    measures: Measures = oof.weigh(shares)(levels[None])[0]
    return measures


def by_fold(metric: Metric, measures: Measures, folds: NDArray[np.int64]) -> dict[int, float]:
    """The metric over the images of each fold."""
    return {
        fold: float(metric.aggregate(measures[folds == fold])) for fold in np.unique(folds).tolist()
    }


def score_alone(
    oof: Oof, metric: Metric, folds: NDArray[np.int64], name: str, thresholds: Thresholds
) -> Score:
    """One model by itself, with the best thresholds for it."""
    weights = {each: float(each == name) for each in oof.names}
    blend = search_blend(oof, metric, weights, thresholds)
    nested = None
    if nested_refusal(folds) is None:
        nested = nested_score(oof, metric, folds, weights, thresholds).score
    scores = by_fold(metric, measured(oof, blend), folds)
    return Score(blend.score, scores, nested, blend.thresholds)


def spread(scores: Sequence[float]) -> float | None:
    """The standard deviation over folds (of a sample); None for one fold, which tells of none."""
    return float(np.std(scores, ddof=1)) if len(scores) > 1 else None
