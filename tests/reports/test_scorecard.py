"""The scorecard: a row a model, one for the ensemble, the columns that teams keep."""

from __future__ import annotations

from io import StringIO
from typing import Any

import pandas as pd
import pytest

from pipeline.config import Experiment, build_experiment
from pipeline.reports.choices import (
    choice_lines,
    step_table,
    threshold_table,
    weight_table,
    worth_table,
)
from pipeline.reports.scorecard import as_markdown, scorecard_markdown, scorecard_table

COLUMNS = [
    "model", "encoder", "decoder", "tta", "weight", "CV", "fold 0", "fold 1", "± folds", "OOF",
    "nested", "threshold", "post-processing", "LB",
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


def facts(
    nested: float | None = 0.86, thresholds: dict[str, float] | None = None
) -> dict[str, Any]:
    def model(weight: float, base: float) -> dict[str, Any]:
        return {
            "weight": weight,
            "folds": {0: base, 1: base + 0.02},
            "tuned": base + 0.01,
            "nested": nested,
            "thresholds": thresholds or {"car": 0.5},
            "without": {"tuned": base - 0.01, "nested": nested},
            "worth": None if nested is None else {"value": 0.02, "interval": [-0.01, 0.05]},
            "error_correlation": 0.9,
        }

    return {
        "models": {"small": model(0.25, 0.8), "stitched": model(0.75, 0.85)},
        "score": {"folds": {0: 0.87, 1: 0.91}, "tuned": 0.9, "nested": nested},
        "thresholds": {"car": 0.45},
        "threshold_rule": "plateau",
        "threshold_rules": {
            rule: {"nested": score, "thresholds": {"car": value}}
            for rule, score, value in [
                ("half", 0.84, 0.5),
                ("plateau", 0.86, 0.45),
                ("searched", 0.861, 0.42),
            ]
        },
        "postprocess": [
            {"name": "watershed", "value": 0.8},
            {"name": "minimum_area", "value": 0.0003},
        ],
        "postprocess_tried": [
            {"name": "watershed", "value": 0.8, "gain": 0.03, "error": 0.01},
            {"name": "minimum_area", "value": 0.0003, "gain": 0.02, "error": 0.005},
            {"name": "gate", "value": None, "gain": -0.001, "error": 0.002},
        ],
        "best_single": {
            "model": "small",
            "blend_above": {"value": 0.01, "interval": [-0.02, 0.04]},
        },
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
    [
        ({"car": 0.5}, "0.50"),
        ({"a": 0.2, "b": 0.71, "c": 0.4}, "a 0.20, b 0.71, c 0.40"),
        ({"a": 0.301, "b": 0.302}, "0.30 (all classes)"),
    ],
)
def test_every_class_is_named_with_its_threshold(thresholds: dict[str, float], shown: str) -> None:
    table = scorecard_table(experiment(), facts(thresholds=thresholds), None, None)
    assert table["threshold"].tolist()[:2] == [shown, shown]


def test_every_row_names_the_post_processing_with_its_values() -> None:
    table = scorecard_table(experiment(), facts(), None, None)
    assert table["post-processing"].tolist() == ["watershed 0.8, minimum_area 0.0003"] * 3
    plain = {**facts(), "postprocess": []}
    assert set(scorecard_table(experiment(), plain, None, None)["post-processing"]) == {"none"}


def test_the_lines_say_what_won_against_what() -> None:
    thresholds, steps, best = choice_lines(facts())
    assert thresholds == (
        "thresholds: 0.45 (middle of the plateau); nested scores: 0.5 0.84000, "
        "middle of the plateau 0.86000, searched 0.86100"
    )
    assert steps == (
        "post-processing: watershed 0.8, minimum_area 0.0003; "
        "tried and left out: gate (-0.00100 ± 0.00200)"
    )
    assert best == "blend − best single model (small), nested: +0.01000 (-0.0200 … +0.0400)"


CONTEST = {
    "weights": {"small": 0.25, "stitched": 0.75},
    "weight_rule": "equal",
    "weight_rules": {
        "equal": {"nested": 0.86, "weights": {"small": 0.5, "stitched": 0.5}},
        "searched": {"nested": 0.862, "weights": {"small": 0.25, "stitched": 0.75}},
    },
}


def test_weights_that_competed_have_a_line_and_a_table() -> None:
    with_contest = {**facts(), **CONTEST}
    assert choice_lines(with_contest)[0] == (
        "weights: equal; nested scores: equal 0.86000, searched 0.86200"
    )
    columns, rows = weight_table(with_contest)
    assert columns == ["model", "equal ← chosen", "searched"]
    assert rows == [
        ["small", "0.500", "0.250"], ["stitched", "0.500", "0.750"],
        ["nested score", "0.86000", "0.86200"],
    ]  # fmt: skip
    assert choice_lines(with_contest)[0] in scorecard_markdown(
        scorecard_table(experiment(), with_contest, None, None), with_contest
    )


def test_the_page_shows_each_class_under_each_rule_and_each_step() -> None:
    columns, rows = threshold_table(facts())
    assert columns == ["class", "0.5", "middle of the plateau ← chosen", "searched"]
    assert rows == [
        ["car", "0.500", "0.450", "0.420"], ["nested score", "0.84000", "0.86000", "0.86100"]
    ]  # fmt: skip
    assert [[row[0], row[1], row[3]] for row in step_table(facts())[1]] == [
        ["watershed", "0.8", "kept"], ["minimum_area", "0.0003", "kept"],
        ["gate", "none helps", "left out"],
    ]  # fmt: skip


def test_what_each_model_is_worth_has_both_scores_and_an_interval() -> None:
    columns, rows = worth_table(facts())
    assert dict(zip(columns, rows[0], strict=True)) == {
        "model": "small", "weight": "0.250", "alone": "0.81000", "alone, nested": "0.86000",
        "without it": "0.79000", "without it, nested": "0.86000",
        "blend − without, nested": "+0.02000", "95 % interval": "-0.0100 … +0.0500",
        "error correlation": "0.900",
    }  # fmt: skip
    unknown = worth_table(facts(nested=None))[1][0]
    assert unknown[3] == unknown[5] == unknown[6] == unknown[7] == ""


def test_the_markdown_file_holds_the_table_the_choices_and_the_worths() -> None:
    table = scorecard_table(experiment(), facts(), None, None)
    text = scorecard_markdown(table, facts())
    assert text.startswith(as_markdown(table))
    for part in (*choice_lines(facts()), *worth_table(facts())[0], "-0.0100 … +0.0500"):
        assert part in text


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
