"""The end of `train`: each member's score, and whether longer training may help."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import pandas as pd

from pipeline.member_id import MemberId
from pipeline.stages.context import StageContext
from pipeline.workspace import MemberPaths


def show(context: StageContext, members: Mapping[MemberId, MemberPaths]) -> None:
    """A row a model (or each of its seeds) with the last score of each of its folds, and what the
    histories say.
    """
    histories = {key: pd.read_csv(paths.history) for key, paths in members.items()}
    folds, scores = sorted({member.fold for member in histories}), dict[str, dict[int, float]]()
    for member, history in histories.items():
        of_row = scores.setdefault(_row(context, member), {})
        of_row[member.fold] = history["score"].iloc[-1]
    rows = []
    for name, own in scores.items():
        cells = [f"{own[fold]:.5f}" if fold in own else "" for fold in folds]
        rows.append([name, *cells, f"{sum(own.values()) / len(own):.5f}"])
    metric = context.experiment.metric_name
    title = f"members: {metric} of the held-out fold at threshold 0.5, without TTA"
    context.reporter.table(title, ["model", *(f"fold {fold}" for fold in folds), "mean"], rows)
    advice = longer(histories.values())
    if advice:
        context.reporter.say(f"train: {advice}")


def _row(context: StageContext, member: MemberId) -> str:
    alone = context.experiment.models[member.model].seeds == 1
    return member.model if alone else f"{member.model}, seed {member.seed}"


def longer(histories: Iterable[pd.DataFrame]) -> str | None:
    """The advice to train longer, where most members were best after their last epoch.

    A single score is always the best one, and gives no information.
    """
    scores = [table["score"].dropna() for table in histories]  # not every epoch is scored
    scores = [each for each in scores if len(each) > 1]
    best_last = sum(bool(each.iloc[-1] > each.iloc[:-1].max()) for each in scores)
    if not scores or 2 * best_last < len(scores):
        return None
    return (
        f"best at the last epoch in {best_last} of {len(scores)} members: train longer "
        "(train.length or train.epochs)"
    )
