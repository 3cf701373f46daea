"""ensemble: chooses and scores weights, thresholds and post-processing on out-of-fold maps."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import yaml

from pipeline.atomic_files import write_atomic
from pipeline.config import choices
from pipeline.data.groups import groups_of
from pipeline.ensemble.blending.means import Mean, make_mean, mean_kind
from pipeline.ensemble.choose import choose_blend
from pipeline.ensemble.members import histogram_of
from pipeline.ensemble.recipe import Recipe, steps_from_yaml
from pipeline.ensemble.summary import Sampling
from pipeline.errors import DataError
from pipeline.inference.job import MemberWeights
from pipeline.manifests import fingerprint, is_as_written, is_fresh, write_manifest
from pipeline.maps import MapStore
from pipeline.prediction.finished_run import (
    keep_finished_run,
    read_tables,
    save_tables,
    stored_type,
)
from pipeline.stages import check, folds, infer, train
from pipeline.stages.check import Survey
from pipeline.stages.context import StageContext, once
from pipeline.stages.infer import Inferred
from pipeline.stages.parts.map_jobs import weights_of
from pipeline.stages.parts.oof_source import oof_source


@dataclass(frozen=True)
class Ensembled:
    """The chosen recipe, what was written about it, and the fingerprint of both."""

    recipe: Recipe
    facts: dict[str, Any]
    fingerprint: str


@once
def run(context: StageContext) -> Ensembled:
    """Choose the blend again when any map, ground truth or setting has changed."""
    survey, table, inferred = check.run(context), folds.run(context), infer.run(context)
    started = time.monotonic()
    experiment, workspace = context.experiment, context.workspace
    made_from = _fingerprint(context, survey, table, inferred)
    with context.exclusive("ensemble"):
        fresh = _is_as_written(context) and is_fresh(workspace.blend_manifest, made_from)
        mean = _kept_mean(context) if fresh else None
        kept = mean is not None
        if mean is None:
            mean = _mean(context, inferred.oof)
        if not fresh:
            facts, scores = _chosen(context, survey, table, inferred.oof, mean)
            write_atomic(workspace.oof_scores, scores.to_csv(index=False))
            write_atomic(workspace.blend, yaml.safe_dump(facts, sort_keys=False))
        if not kept:
            files = [
                workspace.blend,
                workspace.oof_scores,
                *save_tables(workspace.finished(), mean),
            ]
            write_manifest(workspace.blend_manifest, made_from, files)
    facts = yaml.safe_load(workspace.blend.read_text())
    if fresh:
        context.up_to_date("ensemble", workspace.blend)
    else:
        made = f"blend of {len(experiment.models)} model(s), {_verdict(facts)}"
        context.done("ensemble", made, workspace.blend, started)
    recipe = Recipe(
        weights=facts["weights"],
        thresholds=tuple(facts["thresholds"].values()),
        multiclass=experiment.data.multiclass,
        mean=mean,
        steps=steps_from_yaml(facts["postprocess"]),
        outputs=experiment.ensemble.used_outputs,
    )
    with context.exclusive("ensemble"):
        keep_finished_run(workspace.finished(), experiment, mean, _members(context))
    return Ensembled(recipe, facts, made_from)


def _members(context: StageContext) -> dict[str, list[MemberWeights]]:
    """The weights that predict, by model."""
    members, used = train.run(context), context.predicting_folds()
    return {
        model: [weights_of(members[each]) for each in context.members(model, used)]
        for model in context.experiment.models
    }


def _is_as_written(context: StageContext) -> bool:
    """True if the files of the choice are unchanged, byte for byte; warns if they are not."""
    path, manifest = context.workspace.blend, context.workspace.blend_manifest
    if not (path.is_file() and manifest.is_file()):
        return False
    if not is_as_written(path, manifest):
        context.reporter.warn(
            f"{path} was edited by hand and will be regenerated; set ensemble.weights and "
            "ensemble.threshold in the config instead"
        )
        return False
    return True


def _fingerprint(
    context: StageContext, survey: Survey, table: pd.DataFrame, inferred: Inferred
) -> str:
    experiment = context.experiment
    return fingerprint(
        "ensemble/3",
        experiment.ensemble.model_copy(update={"accumulate": False}),
        experiment.data.class_names,
        {name: store.content for name, store in inferred.oof.items()},
        survey.fingerprint("train"),
        survey.groups,
        table[["id", "fold"]].values.tolist(),
        len(survey.of("test")),
    )


def _chosen(
    context: StageContext,
    survey: Survey,
    table: pd.DataFrame,
    oof: dict[str, MapStore],
    mean: Mean,
) -> tuple[dict[str, Any], pd.DataFrame]:
    """The facts and the per-image scores of the blend that is best on out-of-fold maps."""
    held_out = table[table["fold"].isin(context.used_folds())]
    ids = held_out["id"].tolist()
    sampling = Sampling(
        folds=held_out["fold"].to_numpy(np.int64),
        groups=[survey.groups[each] for each in ids],
        test_groups=_test_groups(context, survey),
    )
    return choose_blend(
        oof_source(context, survey, ids, oof, mean),
        context.experiment.metric,
        context.experiment.ensemble,
        context.experiment.data.class_names,
        sampling,
        context.workspace.run,
        context.reporter.warn,
    )


def _kind(context: StageContext) -> choices.Mean:
    experiment = context.experiment
    return mean_kind(experiment.ensemble.mean, multiclass=experiment.data.multiclass)


def _kept_mean(context: StageContext) -> Mean | None:
    """The mean of the finished blend, for which no map is read; None where its file is not whole
    or, in a run of an earlier version, not known to be of these maps.
    """
    if _kind(context) != "rank":
        return make_mean(_kind(context), stored_type(context.experiment))
    tables = context.workspace.finished().mean_tables
    return read_tables(tables) if is_as_written(tables, context.workspace.blend_manifest) else None


def _mean(context: StageContext, oof: dict[str, MapStore]) -> Mean:
    """The kind of mean; ranks are those among the model's own out-of-fold maps, which are read."""
    name, dtype = _kind(context), next(iter(oof.values())).dtype
    histograms = None
    if name == "rank":
        histograms = [histogram_of(store, store.ids) for store in oof.values()]
    return make_mean(name, dtype, histograms)


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


def _verdict(facts: dict[str, Any]) -> str:
    score = facts["score"]
    if score["nested"] is None:
        return f"OOF {score['tuned']:.5f} (tuned; no nested score)"
    return f"OOF {score['tuned']:.5f} tuned, {score['nested']:.5f} nested"
