"""folds: the table that says which fold holds out which sample, for every model alike."""

from __future__ import annotations

import time

import numpy as np
import pandas as pd

from pipeline.atomic_files import write_atomic
from pipeline.data.folds import COLUMNS, VERSION, check_fold_table, make_fold_table
from pipeline.data.refold import FoldChange, extend_fold_table
from pipeline.data.tables import read_own_table
from pipeline.errors import ArtefactError
from pipeline.manifests import fingerprint, is_as_written, read_manifest, write_manifest
from pipeline.stages import check
from pipeline.stages.check import Survey
from pipeline.stages.context import StageContext, once


@once
def run(context: StageContext) -> pd.DataFrame:
    """The fold table `id,group,stratum,fold` (fold as int, the rest as text).

    A table that was edited, or that came with the repository, is used unchanged if it fits the
    data, and refused if it does not. A table of this stage is updated when images come or go:
    groups keep their folds. It is split again only when the settings of `folds` change.
    Nothing is written before everything else that can fail has been checked.
    """
    survey = check.run(context)
    started = time.monotonic()
    workspace = context.workspace
    (
        context.models(),
        context.chosen_folds(),
    )  # a MODEL= or FOLD= that is wrong must not cost the table
    with context.exclusive("folds"):
        ours = is_as_written(workspace.fold_table, workspace.fold_manifest)
        manifest = read_manifest(workspace.fold_manifest) or {}
        if is_kept(context):
            if not ours and manifest:
                context.reporter.warn(
                    f"{workspace.fold_table} was edited by hand and is used as it is; delete it "
                    "to re-split"
                )
            table = _read(context, survey)
            _show_if_asked(context, survey, table)
            context.up_to_date("folds", workspace.fold_table)
            return table
        before = _before(context) if ours else None
        table = _made(context, survey, before if manifest.get("rules") == _rules(context) else None)
        if before is not None:
            _say_what_changes(context, FoldChange.between(before, table))
        _show(context, survey, table)
        write_atomic(workspace.fold_table, table.to_csv(index=False))
        rules = _rules(context)
        made_from = _fingerprint(context, survey)
        write_manifest(workspace.fold_manifest, made_from, [workspace.fold_table], rules=rules)
    made = f"{context.experiment.folds.count} folds"
    context.done("folds", made, workspace.fold_table, started)
    return table


def is_kept(context: StageContext) -> bool:
    """True if the existing table will be used unchanged."""
    path, manifest = context.workspace.fold_table, context.workspace.fold_manifest
    if not path.is_file() or not is_as_written(path, manifest):
        return path.is_file()
    made_from = (read_manifest(manifest) or {}).get("fingerprint")
    return made_from == _fingerprint(context, check.run(context))


def _made(context: StageContext, survey: Survey, before: pd.DataFrame | None) -> pd.DataFrame:
    """A new table, or the one of `before` updated for new and removed images."""
    records, classes = survey.of("train"), context.experiment.data.class_names
    folds = context.experiment.folds
    if before is None:
        return make_fold_table(records, survey.groups, classes, folds)
    return extend_fold_table(before, records, survey.groups, classes, folds)


def _before(context: StageContext) -> pd.DataFrame:
    """The table that this stage wrote last, whatever the data are now."""
    table = read_own_table(context.workspace.fold_table, COLUMNS)
    return table.assign(fold=table["fold"].astype(int))


def _say_what_changes(context: StageContext, change: FoldChange) -> None:
    """Say what the new table changes, before it is written."""
    if not change:
        return
    for line in change.lines():
        context.reporter.say(f"folds: {line}")
    models, count = context.experiment.models, context.experiment.folds.count
    retrained = set(change.retrained(count))
    trained = [
        (member.name, member.fold in retrained)
        for model in models
        for member in context.members(model, range(count))
        if context.workspace.member(member).manifest.is_file()
    ]
    again = [name for name, is_stale in trained if is_stale]
    kept = [name for name, is_stale in trained if not is_stale]
    if again:
        text = f"retrained, since their training images change: {', '.join(again)}"
        context.reporter.say(f"folds: {text}")
    if kept:
        text = f"kept, since their training images stay: {', '.join(kept)}; their fold is scored"
        context.reporter.say(f"folds: {text} again")


def _rules(context: StageContext) -> str:
    """The settings that a table is split by."""
    return fingerprint(
        VERSION, context.experiment.folds.model_copy(update={"use": None, "all": False})
    )


def _fingerprint(context: StageContext, survey: Survey) -> str:
    shares = [
        (record.id, survey.groups[record.id], record.coverage) for record in survey.of("train")
    ]
    return fingerprint(_rules(context), context.experiment.data.class_names, shares)


def _read(context: StageContext, survey: Survey) -> pd.DataFrame:
    path = context.workspace.fold_table
    table = read_own_table(path, COLUMNS)
    check_fold_table(table, list(survey.groups), survey.groups, str(path))
    table = table.assign(fold=table["fold"].astype(int))
    found, count = set(table["fold"]), context.experiment.folds.count
    if found != set(range(count)):
        raise ArtefactError(
            f"{path} has the folds {sorted(found)}, but the experiment needs 0 … {count - 1}; "
            "set folds.count, or delete the table"
        )
    return table


def _show_if_asked(context: StageContext, survey: Survey, table: pd.DataFrame) -> None:
    if context.asked == "folds":
        _show(context, survey, table)


def _show(context: StageContext, survey: Survey, table: pd.DataFrame) -> None:
    """A column a fold: how many images and groups, and how much of each class."""
    names = context.experiment.data.class_names
    shares = {record.id: record.shares for record in survey.of("train")}
    columns = []
    for fold, part in table.groupby("fold"):
        covered = np.array([shares[each] for each in part["id"]])
        means = covered.mean(axis=0)
        empty = f"{(covered.sum(axis=1) == 0).mean():.0%}"
        sizes = [str(len(part)), str(part["group"].nunique()), empty]
        columns.append([*sizes, *(f"{mean:.3%}" for mean in means)])
        absent = [name for name, mean in zip(names, means, strict=True) if mean == 0]
        if absent:
            context.reporter.warn(f"fold {fold} contains no {', '.join(absent)}")
    titles = ["images", "groups", "empty", *(f"coverage of {name}" for name in names)]
    rows = [[title, *cells] for title, *cells in zip(titles, *columns, strict=True)]
    header = ["", *(f"fold {fold}" for fold in range(len(columns)))]
    context.reporter.table("folds (group leaks: none)", header, rows)
