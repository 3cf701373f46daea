"""folds: the table that says which fold holds out which sample, for every model alike."""

from __future__ import annotations

import time

import numpy as np
import pandas as pd

from pipeline.competition.folds import COLUMNS, check_fold_table, make_fold_table
from pipeline.competition.tables import read_own_table
from pipeline.errors import ArtefactError
from pipeline.stages import check
from pipeline.stages.check import Survey
from pipeline.stages.context import StageContext, once
from pipeline.workspace import (
    fingerprint,
    is_as_written,
    read_manifest,
    write_atomic,
    write_manifest,
)


@once
def run(context: StageContext) -> pd.DataFrame:
    """The fold table `id,group,stratum,fold` (fold as int, the rest as text).

    A table that somebody edited, or that came with the repository, is used as it is when it fits
    the data, and refused when it does not; one that this stage made is made anew when stale.
    """
    survey = check.run(context)
    started = time.monotonic()
    workspace = context.workspace
    with context.exclusive("folds"):
        wanted = _fingerprint(context, survey)
        manifest = read_manifest(workspace.fold_manifest) or {}
        if workspace.fold_table.is_file():
            ours = is_as_written(workspace.fold_table, workspace.fold_manifest)
            if not ours or manifest["fingerprint"] == wanted:
                table = _read(context, survey)
                _show_if_asked(context, survey, table)
                context.up_to_date("folds", workspace.fold_table)
                return table
        experiment = context.experiment
        table = make_fold_table(
            survey.of("train"), survey.groups, experiment.data.class_names, experiment.folds
        )
        write_atomic(workspace.fold_table, table.to_csv(index=False))
        write_manifest(workspace.fold_manifest, wanted, [workspace.fold_table])
    _show(context, survey, table)
    context.done("folds", f"{experiment.folds.count} folds", workspace.fold_table, started)
    return table


def _fingerprint(context: StageContext, survey: Survey) -> str:
    folds = context.experiment.folds.model_copy(update={"use": None})
    shares = [
        (record.id, survey.groups[record.id], record.coverage) for record in survey.of("train")
    ]
    return fingerprint("folds/1", folds, context.experiment.data.class_names, shares)


def _read(context: StageContext, survey: Survey) -> pd.DataFrame:
    path = context.workspace.fold_table
    table = read_own_table(path, COLUMNS)
    check_fold_table(table, list(survey.groups), survey.groups, str(path))
    table = table.assign(fold=table["fold"].astype(int))
    found, count = set(table["fold"]), context.experiment.folds.count
    if found != set(range(count)):
        raise ArtefactError(
            f"{path} has the folds {sorted(found)}, the experiment wants 0 … {count - 1}; "
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
            context.reporter.warn(f"fold {fold} holds no {', '.join(absent)}")
    titles = ["images", "groups", "empty", *(f"coverage of {name}" for name in names)]
    rows = [[title, *cells] for title, *cells in zip(titles, *columns, strict=True)]
    header = ["", *(f"fold {fold}" for fold in range(len(columns)))]
    context.reporter.table("folds (group leaks: none)", header, rows)
