"""The end of `train`: each member's score, and whether longer training may help."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import pandas as pd

from pipeline.stages.context import StageContext
from pipeline.workspace import MemberPaths


def show(context: StageContext, members: Mapping[tuple[str, int], MemberPaths]) -> None:
    """A row a model with the last score of each of its folds, and what the histories say."""
    histories = {key: pd.read_csv(paths.history) for key, paths in members.items()}
    models = list(dict.fromkeys(model for model, _ in histories))
    folds = sorted({fold for _, fold in histories})
    rows = []
    for model in models:
        scores = {f: histories[model, f]["score"].iloc[-1] for f in folds if (model, f) in members}
        cells = [f"{scores[fold]:.5f}" if fold in scores else "" for fold in folds]
        rows.append([model, *cells, f"{sum(scores.values()) / len(scores):.5f}"])
    metric = context.experiment.metric_name
    title = f"members: {metric} of the held-out fold at threshold 0.5, without TTA"
    context.reporter.table(title, ["model", *(f"fold {fold}" for fold in folds), "mean"], rows)
    advice = longer(histories.values())
    if advice:
        context.reporter.say(f"train: {advice}")


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
