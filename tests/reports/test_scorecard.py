"""The scorecard: a row a model, one for the ensemble, the columns that teams keep."""

from __future__ import annotations

from io import StringIO
from typing import Any

import pandas as pd
import pytest

from pipeline.config import Experiment, build_experiment
from pipeline.reports.scorecard import as_markdown, scorecard_table

COLUMNS = [
    "model", "encoder", "decoder", "tta", "weight", "CV", "fold 0", "fold 1", "± folds", "OOF",
    "nested", "threshold", "LB",
]  # fmt: skip


def experiment(tta: list[str] | None = None) -> Experiment:
    raw = {
        "name": "x",
        "data": {"root": "d", "images": "{id}.png", "masks": "m/{id}.png", "classes": ["car"]},
        "models": {
            "small": {"decoder": "linknet", "encoder": "resnet18"},
            "stitched": {
                "decoder": "unet",
                "encoder": "resnet34[:2] + densenet121[2:]",
                "infer": {"tta": tta or ["flips"]},
            },
        },
    }
    return build_experiment(raw, source="x")


def facts(nested: float | None = 0.86, thresholds: list[float] | None = None) -> dict[str, Any]:
    def model(weight: float, base: float) -> dict[str, Any]:
        return {
            "weight": weight,
            "folds": {0: base, 1: base + 0.02},
            "tuned": base + 0.01,
            "nested": nested,
            "thresholds": thresholds or [0.5],
        }

    return {
        "models": {"small": model(0.25, 0.8), "stitched": model(0.75, 0.85)},
        "score": {"folds": {0: 0.87, 1: 0.91}, "tuned": 0.9, "nested": nested},
        "thresholds": {"car": 0.45},
    }


def test_a_row_a_model_and_the_ensemble_last() -> None:
    table = scorecard_table(experiment(), facts(), None, None)
    assert table.columns.tolist() == COLUMNS
    assert table["model"].tolist() == ["small", "stitched", "ensemble"]
    assert table["encoder"].tolist()[1:] == ["resnet34[:2] + densenet121[2:]", "2 model(s)"]
    assert table["decoder"].tolist() == ["linknet", "unet", ""]
    assert table["tta"].tolist() == ["identity hflip", "flips", ""]
    assert table["weight"].tolist() == ["0.25", "0.75", ""]


def test_the_scores_are_those_of_the_facts() -> None:
    last = scorecard_table(experiment(), facts(), None, None).iloc[-1]
    assert last["CV"] == "0.89000"
    assert (last["fold 0"], last["fold 1"]) == ("0.87000", "0.91000")
    assert last["± folds"] == "0.02828"  # the standard deviation of a sample of two
    assert (last["OOF"], last["nested"], last["threshold"]) == ("0.90000", "0.86000", "0.45")


def test_what_is_not_known_is_blank() -> None:
    table = scorecard_table(experiment(), facts(nested=None), None, None)
    assert set(table["nested"]) == {""}
    assert set(table["LB"]) == {""}


@pytest.mark.parametrize(
    ("leaderboard", "hidden", "shown"),
    [(0.9, 0.8, "0.90000"), (None, 0.8, "0.80000"), (0.0, 0.8, "0.00000"), (0.9, None, "0.90000")],
)
def test_the_leaderboard_outranks_the_hidden_masks(
    leaderboard: float | None, hidden: float | None, shown: str
) -> None:
    table = scorecard_table(experiment(), facts(), leaderboard, hidden)
    assert table["LB"].tolist() == ["", "", shown]


@pytest.mark.parametrize(
    ("thresholds", "shown"),
    [([0.5], "0.50"), ([0.2, 0.71, 0.4], "0.20–0.71"), ([0.301, 0.302], "0.30")],
)
def test_several_thresholds_are_a_range(thresholds: list[float], shown: str) -> None:
    table = scorecard_table(experiment(), facts(thresholds=thresholds), None, None)
    assert table["threshold"].tolist()[:2] == [shown, shown]


def test_a_single_fold_has_no_spread() -> None:
    one = facts(nested=None)
    for each in [one["score"], *one["models"].values()]:
        each["folds"] = {3: 0.5}
    table = scorecard_table(experiment(), one, None, None)
    assert "fold 3" in table.columns
    assert set(table["± folds"]) == {""}


def test_markdown_has_a_line_a_row_and_every_cell() -> None:
    table = scorecard_table(experiment(), facts(), 0.9, None)
    lines = as_markdown(table).splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert cells[0] == COLUMNS
    assert set(lines[1]) == {"|", "-"}
    assert cells[2:] == table.to_numpy().tolist()
    assert {len(each) for each in cells} == {len(COLUMNS)}


def test_the_csv_reads_back_as_it_was() -> None:
    table = scorecard_table(experiment(), facts(nested=None), None, None)
    back = pd.read_csv(StringIO(table.to_csv(index=False)), dtype=str, keep_default_na=False)
    assert back.to_numpy().tolist() == table.to_numpy().tolist()
