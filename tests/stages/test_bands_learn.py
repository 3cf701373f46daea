"""What bands and neighbours are worth, where they tell what colours and a single slice do not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline import open_run
from tests.helpers.competitions import TINY
from tests.helpers.kelp import draw_kelp, kelp_experiment
from tests.helpers.kidney import draw_kidney, kidney_experiment

TRAINING = {"epochs": 1, "steps": 80, "lr": 5e-3, "batch": 8, "ema": 0.98, "size": [48, 48]}


def _scores(raw: dict[str, Any], folder: Path) -> dict[str, float]:
    """The out-of-fold Dice of each model at threshold 0.5."""
    raw = {**raw, "train": TRAINING, "ensemble": {"threshold": 0.5}, "infer": {"tta": ["identity"]}}
    run = open_run(raw, folder=folder, jobs=1, quiet=True)
    run.ensemble()
    table = run.scorecard().set_index("model")
    return {name: float(table.loc[name, "OOF"]) for name in raw["models"]}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("draw", "experiment", "more", "less"),
    [
        (lambda folder: draw_kelp(folder, count=24), kelp_experiment,
         {"bands": ["red", "green", "blue", "nir", "ndvi"]}, {"bands": ["red", "green", "blue"]}),
        (lambda folder: draw_kidney(folder, stacks=6), kidney_experiment,
         {}, {"bands": ["gray"]}),
    ],
    ids=["bands", "neighbours"],
)  # fmt: skip
def test_more_is_better(
    tmp_path: Path,
    record_property: Callable[[str, object], None],
    draw: Callable[[Path], None],
    experiment: Callable[..., dict[str, Any]],
    more: dict[str, Any],
    less: dict[str, Any],
) -> None:
    draw(tmp_path / "data")
    models = {
        name: {"decoder": "unet", **TINY, "input": shown}
        for name, shown in (("more", more), ("less", less))
    }
    scores = _scores(experiment(tmp_path / "data", models=models), tmp_path)
    record_property("figure", f"OOF Dice {scores['more']:.3f} against {scores['less']:.3f}")
    assert scores["more"] > scores["less"] + 0.1
