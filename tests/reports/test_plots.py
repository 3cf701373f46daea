from __future__ import annotations

import subprocess
import sys

import matplotlib.colors
import numpy as np
import pandas as pd
import pytest

from pipeline.reports.data_uri import figure_uri
from pipeline.reports.plots import fold_health, learning_curves

PANELS = {"loss": ["train_loss", "valid_loss"], "dice": ["score"]}


def history(seed: int, epochs: int = 5) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    columns = ("train_loss", "valid_loss", "score")
    return pd.DataFrame({"epoch": range(1, epochs + 1)} | {c: rng.random(epochs) for c in columns})


def fold_table(folds: int, groups: int) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    group = np.repeat([f"g{n}" for n in range(groups)], 3)
    table = pd.DataFrame({"group": group, "stratum": rng.choice(["empty", "q1", "q2"], len(group))})
    table["id"] = [f"i{n}" for n in range(len(group))]
    return table.assign(fold=[int(name[1:]) % folds for name in group])


def test_a_line_a_fold_and_column_with_the_values_of_its_table() -> None:
    tables = {"a": [history(0), history(1)], "b": [history(2)]}
    loss, dice = learning_curves(tables, PANELS).axes
    assert (len(loss.lines), len(dice.lines)) == (6, 3)
    assert [axis.get_title(loc="left") for axis in (loss, dice)] == ["loss", "dice"]
    drawn = [line.get_ydata().tolist() for line in loss.lines]
    for table in (*tables["a"], *tables["b"]):
        assert table["train_loss"].tolist() in drawn and table["valid_loss"].tolist() in drawn


def test_models_differ_in_colour_and_columns_in_dashes() -> None:
    loss, _ = learning_curves({"a": [history(0), history(1)], "b": [history(2)]}, PANELS).axes
    colours = [line.get_color() for line in loss.lines]
    assert len(set(colours[:4])) == 1 and len(set(colours)) == 2
    assert [line.get_linestyle() for line in loss.lines] == ["-", "--"] * 3


def test_missing_columns_and_single_epochs_can_be_drawn() -> None:
    one = history(0, epochs=1).drop(columns="score")
    loss, dice = learning_curves({"a": [one]}, PANELS).axes
    assert loss.lines[0].get_marker() == "o" and not dice.lines


def test_many_models_can_be_drawn() -> None:
    tables = {f"model {n}": [history(n)] for n in range(20)}
    assert figure_uri(learning_curves(tables, PANELS)).startswith("data:image/svg")


@pytest.mark.parametrize(("folds", "groups"), [(5, 23), (1, 1), (10, 10)])
def test_fold_health_counts_images_groups_and_strata(folds: int, groups: int) -> None:
    table = fold_table(folds, groups)
    coverage = pd.Series(np.linspace(0, 1, len(table)), index=table["id"])
    figure = fold_health(table, coverage)
    sizes, strata, _ = figure.axes
    images, group_counts = sizes.containers
    by_fold = table.groupby("fold")
    assert [bar.get_height() for bar in images] == by_fold.size().tolist()
    assert [bar.get_height() for bar in group_counts] == by_fold["group"].nunique().tolist()
    tops = [bar.get_y() + bar.get_height() for bar in strata.containers[-1]]
    assert tops == pytest.approx([1] * folds)
    assert figure_uri(figure)


def test_fold_health_shows_the_median_coverage_matched_by_id() -> None:
    table = fold_table(2, 9)
    coverage = pd.Series(np.random.default_rng(1).random(len(table)), index=table["id"])
    covers = fold_health(table, coverage.sample(frac=1, random_state=0)).axes[2]
    colour = matplotlib.colors.to_hex("#f59e0b")
    medians = [
        line.get_ydata()[0]
        for line in covers.lines
        if matplotlib.colors.to_hex(line.get_color()) == colour
    ]
    expected = table.assign(c=table["id"].map(coverage)).groupby("fold")["c"].median()
    assert medians == pytest.approx(expected.tolist())


def test_no_global_plotting_state() -> None:
    code = "import sys, pipeline.reports.plots; sys.exit('matplotlib.pyplot' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
