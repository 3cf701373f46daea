"""ensemble: weights, thresholds and post-processing chosen on out-of-fold maps, and their worth."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import yaml
from numpy.typing import NDArray

from pipeline.competition.catalog import groups_of
from pipeline.competition.metrics import Metric, get_metric
from pipeline.ensemble.gather import gather
from pipeline.ensemble.interval import score_interval
from pipeline.ensemble.means import Mean, make_mean
from pipeline.ensemble.members import check_members, histogram_of, reader_of
from pipeline.ensemble.nested import NestedScore, nested_refusal, nested_score
from pipeline.ensemble.oof import Measures, Oof, OofSource
from pipeline.ensemble.postprocess import get_step
from pipeline.ensemble.postprocess_search import PostprocessChoice, search_postprocess
from pipeline.ensemble.recipe import Recipe, steps_as_yaml, steps_from_yaml
from pipeline.ensemble.scoring import by_fold, measured, score_alone
from pipeline.ensemble.search import Blend, Thresholds, search_blend
from pipeline.ensemble.worth import member_worths
from pipeline.errors import DataError
from pipeline.maps import MapStore
from pipeline.stages import align, check, folds, infer
from pipeline.stages.check import Survey
from pipeline.stages.context import StageContext, once
from pipeline.stages.infer import Inferred
from pipeline.workspace import fingerprint, is_fresh, write_atomic, write_manifest

SEED = 0


@dataclass(frozen=True)
class Ensembled:
    """The chosen recipe, what was written about it, and the fingerprint of both."""

    recipe: Recipe
    facts: dict[str, Any]
    fingerprint: str


@once
def run(context: StageContext) -> Ensembled:
    """Choose the blend anew when any map, truth or setting has changed."""
    survey, table, inferred = check.run(context), folds.run(context), infer.run(context)
    started = time.monotonic()
    experiment, workspace = context.experiment, context.workspace
    made_from = _fingerprint(context, survey, table, inferred)
    with context.exclusive("ensemble"):
        fresh = is_fresh(workspace.blend_manifest, made_from) and workspace.blend.is_file()
        if not fresh:
            facts, scores = _choose(context, survey, table, inferred)
            write_atomic(workspace.oof_scores, scores.to_csv(index=False))
            write_atomic(workspace.blend, yaml.safe_dump(facts, sort_keys=False))
            write_manifest(workspace.blend_manifest, made_from)
    facts = yaml.safe_load(workspace.blend.read_text())
    if fresh:
        context.up_to_date("ensemble", workspace.blend)
    else:
        made = f"blend of {len(experiment.models)} model(s), {_verdict(facts)}"
        context.done("ensemble", made, workspace.blend, started)
    recipe = Recipe(
        weights=facts["weights"],
        thresholds=tuple(facts["thresholds"].values()),
        exclusive=experiment.data.exclusive,
        mean=_mean(context, inferred.oof),
        steps=steps_from_yaml(facts["postprocess"]),
    )
    return Ensembled(recipe, facts, made_from)


def _fingerprint(
    context: StageContext, survey: Survey, table: pd.DataFrame, inferred: Inferred
) -> str:
    experiment = context.experiment
    return fingerprint(
        "ensemble/1",
        experiment.ensemble,
        experiment.data.class_names,
        {name: store.fingerprint for name, store in inferred.oof.items()},
        survey.fingerprint("train"),
        survey.groups,
        table[["id", "fold"]].values.tolist(),
        len(survey.of("test")),
    )


def _choose(
    context: StageContext, survey: Survey, table: pd.DataFrame, inferred: Inferred
) -> tuple[dict[str, Any], pd.DataFrame]:
    """Everything `ensemble.yaml` says, and the blend's score of every out-of-fold image."""
    settings = context.experiment.ensemble
    metric = get_metric(settings.metric_name, **settings.metric_options)
    held_out = table[table["fold"].isin(context.used_folds())]
    ids, fold = held_out["id"].tolist(), held_out["fold"].to_numpy(np.int64)
    source = _source(context, survey, ids, inferred.oof)
    thresholds = _thresholds(settings.threshold, len(context.experiment.data.classes))
    oof = gather(source, metric, context.workspace.run, thresholds)
    blend = search_blend(oof, metric, settings.weights, thresholds)
    refusal = nested_refusal(fold)
    nested = None
    if refusal is None:
        nested = nested_score(oof, metric, fold, settings.weights, thresholds)
    else:
        context.reporter.warn(f"no nested score: {refusal}")
    processed = _postprocessed(context, source, metric, fold, blend, nested)
    measures = _final_measures(source, metric, oof, blend, processed)
    facts = {
        "metric": settings.metric,
        "mean": settings.mean,
        "weights": {name: round(weight, 9) for name, weight in blend.weights.items()},
        "thresholds": dict(
            zip(context.experiment.data.class_names, map(float, blend.thresholds), strict=True)
        ),
        "postprocess": steps_as_yaml(processed.steps) if processed else [],
        **_scores(context, survey, ids, fold, metric, measures, blend, nested, processed),
        "models": _model_facts(oof, metric, fold, blend, thresholds),
    }
    scores = {"id": ids, "fold": fold, "score": metric.per_image(measures)}
    return facts, pd.DataFrame(scores)


def _source(
    context: StageContext, survey: Survey, ids: list[str], oof: dict[str, MapStore]
) -> OofSource:
    check_members(oof, ids)
    reader = align.run(context)
    samples = survey.catalog.by_id["train"]
    return OofSource(
        names=tuple(oof),
        ids=tuple(ids),
        maps=reader_of(oof),
        truth=lambda each: reader.truth(samples[each], survey.sizes["train", each]),
        mean=_mean(context, oof),
        exclusive=context.experiment.data.exclusive,
    )


def _mean(context: StageContext, oof: dict[str, MapStore]) -> Mean:
    """The kind of mean; ranks are those among the model's own out-of-fold maps."""
    name = context.experiment.ensemble.mean
    dtype = next(iter(oof.values())).dtype
    histograms = None
    if name == "rank":
        histograms = [histogram_of(store, store.ids) for store in oof.values()]
    return make_mean(name, dtype, histograms)


def _thresholds(setting: str | float | tuple[float, ...], classes: int) -> Thresholds:
    if isinstance(setting, str):
        return "search"
    return setting if isinstance(setting, tuple) else (setting,) * classes


def _postprocessed(
    context: StageContext,
    source: OofSource,
    metric: Metric,
    fold: NDArray[np.int64],
    blend: Blend,
    nested: NestedScore | None,
) -> PostprocessChoice | None:
    steps = [get_step(item) for item in context.experiment.ensemble.postprocess]
    if not steps:
        return None
    if nested is None:
        context.reporter.warn("postprocess: a step is kept for its nested score; there is none")
        return None
    return search_postprocess(source, metric, fold, blend, nested, steps)


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
    context: StageContext,
    survey: Survey,
    ids: list[str],
    fold: NDArray[np.int64],
    metric: Metric,
    measures: Measures,
    blend: Blend,
    nested: NestedScore | None,
    processed: PostprocessChoice | None,
) -> dict[str, Any]:
    """Tuned, nested, their gap, and what a test set of the competition's size may score."""
    tuned = processed.score if processed else blend.score
    nested = processed.nested if processed else nested
    groups = [survey.groups[each] for each in ids]
    count = _test_groups(context, survey)
    interval = score_interval(nested.measures if nested else measures, groups, metric, count, SEED)
    return {
        "score": {
            "tuned": tuned,
            "nested": nested.score if nested else None,
            "gap": tuned - nested.score if nested else None,
            "interval": [interval.low, interval.high],
            "interval_level": interval.level,
            "interval_groups": count,
            "folds": by_fold(metric, measures, fold),
            "nested_folds": nested.fold_scores if nested else None,
        }
    }


def _test_groups(context: StageContext, survey: Survey) -> int:
    """How many groups the test set has; by its images where its groups are not known."""
    ids = [record.id for record in survey.of("test")]
    if not ids:
        return len(set(survey.groups.values()))
    try:
        return len(set(groups_of(ids, context.experiment.data).values()))
    except DataError:
        share = len(set(survey.groups.values())) / len(survey.groups)
        return max(1, round(len(ids) * share))


def _model_facts(
    oof: Oof, metric: Metric, fold: NDArray[np.int64], blend: Blend, thresholds: Thresholds
) -> dict[str, Any]:
    """What each model scores by itself and is worth to the blend."""
    facts = {}
    for worth in member_worths(oof, metric, blend, thresholds):
        alone = score_alone(oof, metric, fold, worth.name, thresholds)
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


def _verdict(facts: dict[str, Any]) -> str:
    score = facts["score"]
    if score["nested"] is None:
        return f"OOF {score['tuned']:.5f} (tuned; no nested score)"
    return f"OOF {score['tuned']:.5f} tuned, {score['nested']:.5f} nested"
