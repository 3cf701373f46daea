"""The nested score: every choice made without the fold that it is then scored on.

The tuned score is measured on the maps that weights and thresholds were chosen on, so it promises
too much; the difference to the nested score is by how much.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.competition.metrics import Metric
from pipeline.ensemble.oof import Measures, Oof
from pipeline.ensemble.search import Blend, Thresholds, Weights, as_blend, search_choice


@dataclass(frozen=True)
class NestedScore:
    """score: of all folds' images together; by fold: its own score, and the blend it was given.

    measures: int64 (images, *shape of the metric's measure), in the images' order.
    """

    score: float
    fold_scores: dict[int, float]
    blends: dict[int, Blend]
    measures: Measures


def nested_refusal(folds: NDArray[np.int64]) -> str | None:
    """Why there can be no nested score; None if there can."""
    if len(np.unique(folds)) > 1:
        return None
    return "only one fold has OOF maps, so no choice can be made without it"


def nested_score(
    oof: Oof,
    metric: Metric,
    folds: NDArray[np.int64],
    weights: Weights = "search",
    thresholds: Thresholds = "search",
) -> NestedScore:
    """Choose the blend on the other folds, score it on each; folds: (images,), each image's fold.

    Two folds at least, see `nested_refusal`.
    """
    assert nested_refusal(folds) is None, nested_refusal(folds)
    blends, parts = {}, {}
    for fold in np.unique(folds).tolist():
        others = oof.select(np.flatnonzero(folds != fold))
        choice = search_choice(others, metric, weights, thresholds)
        held_out = oof.select(np.flatnonzero(folds == fold))
        blends[fold] = as_blend(others, choice)
        parts[fold] = held_out.weigh(choice.shares)(choice.levels[None])[0]
    return pool(metric, folds, blends, parts)


def pool(
    metric: Metric,
    folds: NDArray[np.int64],
    blends: dict[int, Blend],
    parts: dict[int, Measures],
) -> NestedScore:
    """One score of the folds' measures (images of the fold, *shape) together."""
    first = next(iter(parts.values()))
    measures = np.empty((len(folds), *first.shape[1:]), first.dtype)
    for fold, part in parts.items():
        measures[folds == fold] = part
    scores = {fold: float(metric.aggregate(part)) for fold, part in parts.items()}
    return NestedScore(float(metric.aggregate(measures)), scores, blends, measures)
