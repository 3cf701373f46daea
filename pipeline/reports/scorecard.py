"""The table that teams keep: a row a model, and one for the ensemble."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from pipeline.config import Experiment
from pipeline.ensemble.scoring import spread
from pipeline.reports.choices import choice_lines, named_steps, named_thresholds, worth_table


def scorecard_table(
    experiment: Experiment,
    facts: Mapping[str, Any],
    leaderboard: float | None,
    hidden: float | None,
) -> pd.DataFrame:
    """The scorecard as text cells; facts: what `ensemble.yaml` says."""
    steps = named_steps(facts["postprocess"])  # the same in every row
    rows = [
        row
        for name, each in facts["models"].items()
        for row in _model_rows(experiment, name, each, steps)
    ]
    score = facts["score"]
    rows.append(
        {
            "model": "ensemble",
            "encoder": f"{len(facts['models'])} model(s)",
            "decoder": "",
            "tta": "",
            "seeds": "",
            "weight": "",
            **_scores(score["folds"], score["tuned"], score["nested"]),
            "threshold": named_thresholds(facts["thresholds"]),
            "post-processing": steps,
            "LB": _cell(leaderboard if leaderboard is not None else hidden),
        }
    )
    table = pd.DataFrame(rows)
    several = any(model.seeds > 1 for model in experiment.models.values())
    return table if several else table.drop(columns="seeds")


def as_markdown(table: pd.DataFrame) -> str:
    """The table in Markdown."""
    return _markdown(table.columns.tolist(), table.fillna("").to_numpy().tolist())


def scorecard_markdown(table: pd.DataFrame, facts: Mapping[str, Any]) -> str:
    """The scorecard, the choices, and the contribution of each model, in Markdown."""
    lines = "".join(f"- {line}\n" for line in choice_lines(facts))
    parts = [as_markdown(table), lines]
    if len(facts["models"]) > 1:
        parts.append(_markdown(*worth_table(facts)))
    return "\n".join(parts)


def _markdown(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)]) + "\n"


def _model_rows(
    experiment: Experiment, name: str, facts: Mapping[str, Any], steps: str
) -> list[dict[str, str]]:
    """A model's row, and one for its members of all images, which nothing was held out of."""
    model = experiment.models[name]
    row = {
        "model": name,
        "encoder": model.encoder or "",
        "decoder": model.decoder or str(model.network),
        "tta": " ".join(model.infer.tta),
        "seeds": str(model.seeds),
        "weight": f"{facts['weight']:.2f}",
        **_scores(facts["folds"], facts["tuned"], facts["nested"]),
        "threshold": named_thresholds(facts["thresholds"]),
        "post-processing": steps,
        "LB": "",
    }
    if not experiment.folds.all:
        return [row]
    same = ("encoder", "decoder", "tta", "seeds")
    member = {"model": f"{name}/all", **{key: row[key] for key in same}, "OOF": "no OOF score"}
    return [row, {**dict.fromkeys(row, ""), **member}]


def _scores(folds: Mapping[int, float], tuned: float, nested: float | None) -> dict[str, str]:
    values = list(folds.values())
    return {
        "CV": _cell(sum(values) / len(values)),
        **{f"fold {fold}": _cell(value) for fold, value in folds.items()},
        "± folds": _cell(spread(values)),
        "OOF": _cell(tuned),
        "nested": _cell(nested),
    }


def _cell(value: float | None) -> str:
    return "" if value is None else f"{value:.5f}"
