"""Chooses the blend of an experiment, and scores it and every model."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline.config import EnsembleConfig
from pipeline.ensemble.postprocessing.registry import get_step
from pipeline.ensemble.postprocessing.search import Decisions
from pipeline.ensemble.search.evidence import Evidence
from pipeline.ensemble.search.ground_truth_cache import keep_truths
from pipeline.ensemble.search.model_value import member_worths
from pipeline.ensemble.search.nested import Procedure, nested_refusal
from pipeline.ensemble.search.oof import OofSource
from pipeline.ensemble.search.oof_pixels import gather
from pipeline.ensemble.search.resampling import group_numbers
from pipeline.ensemble.search.scratch_room import require_room
from pipeline.ensemble.search.weights import Thresholds
from pipeline.ensemble.summary import (
    SEED,
    Sampling,
    facts_of_best_single,
    facts_of_choice,
    facts_of_model,
    facts_of_score,
)
from pipeline.metrics import Metric, metric_of


def choose_blend(
    source: OofSource,
    metric_wish: str | Mapping[str, Any],
    settings: EnsembleConfig,
    classes: Sequence[str],
    sampling: Sampling,
    scratch: Path,
    warn: Callable[[str], None],
) -> tuple[dict[str, Any], pd.DataFrame]:
    """Everything `ensemble.yaml` says, and the blend's score of every image (id, fold, score).

    metric_wish: as the experiment writes it; scratch: a folder for temporary files; warn: called
    with a message for everything that could not be done.
    """
    metric = metric_of(metric_wish)
    thresholds = thresholds_of(settings.threshold, len(classes))
    require_room(source, metric, scratch, thresholds, truths=bool(settings.postprocess))
    if settings.postprocess:
        source = keep_truths(source, scratch)
    refusal = nested_refusal(sampling.folds)
    if refusal is not None:
        warn(f"no nested score: {refusal}")
    groups = group_numbers(sampling.groups)
    evidence = Evidence(gather(source, metric, scratch, thresholds), sampling.folds, groups)
    procedure = Procedure(evidence, metric, thresholds, _decisions(source, metric, settings))
    weights = settings.weights
    outcome = procedure.run("nested" if weights == "nested" else lambda fold, rule: weights)
    worths = member_worths(procedure, outcome, SEED)
    facts = {
        "metric": metric_wish,
        "mean": settings.mean,
        **facts_of_choice(evidence.oof, outcome.whole, classes),
        "score": facts_of_score(metric, outcome, sampling),
        "models": {
            worth.name: facts_of_model(metric, worth, sampling, classes) for worth in worths
        },
        "best_single": facts_of_best_single(procedure, outcome, worths),
    }
    scores = {
        "id": source.ids,
        "fold": sampling.folds,
        "score": metric.per_image(outcome.statistics),
    }
    return facts, pd.DataFrame(scores)


def thresholds_of(setting: str | float | tuple[float, ...], classes: int) -> Thresholds:
    """`ensemble.threshold` as the search takes it: a threshold each class, or "search"."""
    if isinstance(setting, str):
        return "search"
    return setting if isinstance(setting, tuple) else (setting,) * classes


def _decisions(source: OofSource, metric: Metric, settings: EnsembleConfig) -> Decisions | None:
    if not settings.postprocess:
        return None
    return Decisions(source, metric, [get_step(item) for item in settings.postprocess])
