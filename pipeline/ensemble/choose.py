"""Chooses the blend of an experiment, and says what it and every model are worth."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.competition.metrics import Metric, get_metric
from pipeline.config import EnsembleConfig
from pipeline.ensemble.gather import gather
from pipeline.ensemble.interval import score_interval
from pipeline.ensemble.nested import NestedScore, nested_refusal, nested_score
from pipeline.ensemble.oof import Measures, Oof, OofSource
from pipeline.ensemble.postprocess import get_step
from pipeline.ensemble.postprocess_search import PostprocessChoice, search_postprocess
from pipeline.ensemble.recipe import Recipe, steps_as_yaml
from pipeline.ensemble.scoring import by_fold, measured, score_alone
from pipeline.ensemble.search import Blend, Thresholds, search_blend
from pipeline.ensemble.truths import keep_truths
from pipeline.ensemble.worth import member_worths

SEED = 0


@dataclass(frozen=True)
class Sampling:
    """Of each out-of-fold image its fold and group; and how many groups the test set has."""

    folds: NDArray[np.int64]
    groups: Sequence[str]
    test_groups: int


def choose_blend(
    source: OofSource,
    settings: EnsembleConfig,
    classes: Sequence[str],
    sampling: Sampling,
    scratch: Path,
    warn: Callable[[str], None],
) -> tuple[dict[str, Any], pd.DataFrame]:
    """Everything `ensemble.yaml` says, and the blend's score of every image (id, fold, score).

    scratch: a folder for temporary files; warn: told what could not be done, and why.
    """
    metric = get_metric(settings.metric_name, **settings.metric_options)
    thresholds = _thresholds(settings.threshold, len(classes))
    if settings.postprocess:
        source = keep_truths(source, scratch)
    oof = gather(source, metric, scratch, thresholds)
    blend = search_blend(oof, metric, settings.weights, thresholds)
    nested = _nested(oof, metric, sampling.folds, settings, thresholds, warn)
    processed = _postprocessed(source, metric, sampling.folds, settings, blend, nested, warn)
    measures = _final_measures(source, metric, oof, blend, processed)
    facts = {
        "metric": settings.metric,
        "mean": settings.mean,
        "weights": {name: round(weight, 9) for name, weight in blend.weights.items()},
        "thresholds": dict(zip(classes, map(float, blend.thresholds), strict=True)),
        "postprocess": steps_as_yaml(processed.steps) if processed else [],
        "score": _scores(metric, measures, sampling, blend, nested, processed),
        "models": _model_facts(oof, metric, sampling.folds, blend, thresholds),
    }
    scores = {"id": source.ids, "fold": sampling.folds, "score": metric.per_image(measures)}
    return facts, pd.DataFrame(scores)


def _thresholds(setting: str | float | tuple[float, ...], classes: int) -> Thresholds:
    if isinstance(setting, str):
        return "search"
    return setting if isinstance(setting, tuple) else (setting,) * classes


def _nested(
    oof: Oof,
    metric: Metric,
    folds: NDArray[np.int64],
    settings: EnsembleConfig,
    thresholds: Thresholds,
    warn: Callable[[str], None],
) -> NestedScore | None:
    refusal = nested_refusal(folds)
    if refusal is not None:
        warn(f"no nested score: {refusal}")
        return None
    return nested_score(oof, metric, folds, settings.weights, thresholds)


def _postprocessed(
    source: OofSource,
    metric: Metric,
    folds: NDArray[np.int64],
    settings: EnsembleConfig,
    blend: Blend,
    nested: NestedScore | None,
    warn: Callable[[str], None],
) -> PostprocessChoice | None:
    if not settings.postprocess:
        return None
    if nested is None:
        warn("postprocess: a step is kept for its nested score, and there is none; none is kept")
        return None
    steps = [get_step(item) for item in settings.postprocess]
    return search_postprocess(source, metric, folds, blend, nested, steps)


def _final_measures(
    source: OofSource, metric: Metric, oof: Oof, blend: Blend, processed: PostprocessChoice | None
) -> Measures:
    """What the metric measures of every image under all that was chosen."""
    if not processed or not processed.steps:
        return measured(oof, blend)
    recipe = Recipe(blend.weights, blend.thresholds, source.exclusive, source.mean, processed.steps)
    return np.stack(
        [
            metric.measure(recipe.decide(source.maps(each)), source.truth(each))
            for each in source.ids
        ]
    )


def _scores(
    metric: Metric,
    measures: Measures,
    sampling: Sampling,
    blend: Blend,
    nested: NestedScore | None,
    processed: PostprocessChoice | None,
) -> dict[str, Any]:
    """Tuned, nested, their gap, and what a test set of the competition's size may score."""
    tuned = processed.score if processed else blend.score
    nested = processed.nested if processed else nested
    believed = nested.measures if nested else measures
    interval = score_interval(believed, sampling.groups, metric, sampling.test_groups, SEED)
    return {
        "tuned": tuned,
        "nested": nested.score if nested else None,
        "gap": tuned - nested.score if nested else None,
        "interval": [interval.low, interval.high],
        "interval_level": interval.level,
        "interval_groups": sampling.test_groups,
        "folds": by_fold(metric, measures, sampling.folds),
        "nested_folds": nested.fold_scores if nested else None,
    }


def _model_facts(
    oof: Oof, metric: Metric, folds: NDArray[np.int64], blend: Blend, thresholds: Thresholds
) -> dict[str, Any]:
    """What each model scores by itself and is worth to the blend."""
    facts = {}
    for worth in member_worths(oof, metric, blend, thresholds):
        alone = score_alone(oof, metric, folds, worth.name, thresholds)
        facts[worth.name] = {
            "tuned": alone.tuned,
            "nested": alone.nested,
            "folds": alone.folds,
            "thresholds": [float(each) for each in alone.thresholds],
            "weight": worth.weight,
            "blend_without": worth.without,
            "error_correlation": worth.correlation,
        }
    return facts
