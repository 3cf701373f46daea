"""The table that teams keep: a row a model, and one for the ensemble."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from pipeline.config import Experiment
from pipeline.ensemble.scoring import spread


def scorecard_table(
    experiment: Experiment,
    facts: Mapping[str, Any],
    leaderboard: float | None,
    hidden: float | None,
) -> pd.DataFrame:
    """The scorecard as text cells; facts: what `ensemble.yaml` says."""
    rows = [_model_row(experiment, name, each) for name, each in facts["models"].items()]
    score = facts["score"]
    rows.append(
        {
            "model": "ensemble",
            "encoder": f"{len(rows)} model(s)",
            "decoder": "",
            "tta": "",
            "weight": "",
            **_scores(score["folds"], score["tuned"], score["nested"]),
            "threshold": _thresholds(list(facts["thresholds"].values())),
            "LB": _cell(leaderboard if leaderboard is not None else hidden),
        }
    )
    return pd.DataFrame(rows)


def as_markdown(table: pd.DataFrame) -> str:
    """The table in Markdown."""
    lines = ["| " + " | ".join(table.columns) + " |", "|" + "---|" * len(table.columns)]
    lines += ["| " + " | ".join(row) + " |" for row in table.fillna("").to_numpy().tolist()]
    return "\n".join(lines) + "\n"


def _model_row(experiment: Experiment, name: str, facts: Mapping[str, Any]) -> dict[str, str]:
    model = experiment.models[name]
    return {
        "model": name,
        "encoder": model.encoder,
        "decoder": model.decoder,
        "tta": " ".join(model.infer.tta),
        "weight": f"{facts['weight']:.2f}",
        **_scores(facts["folds"], facts["tuned"], facts["nested"]),
        "threshold": _thresholds(facts["thresholds"]),
        "LB": "",
    }


def _scores(folds: Mapping[int, float], tuned: float, nested: float | None) -> dict[str, str]:
    values = list(folds.values())
    return {
        "CV": _cell(sum(values) / len(values)),
        **{f"fold {fold}": _cell(value) for fold, value in folds.items()},
        "± folds": _cell(spread(values)),
        "OOF": _cell(tuned),
        "nested": _cell(nested),
    }


def _thresholds(values: Sequence[float]) -> str:
    """The threshold, or the range of several."""
    low, high = min(values), max(values)
    return f"{low:.2f}" if high - low < 0.005 else f"{low:.2f}–{high:.2f}"


def _cell(value: float | None) -> str:
    return "" if value is None else f"{value:.5f}"
