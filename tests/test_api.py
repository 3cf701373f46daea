"""The door for Python: the same results as the commands, as objects."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from PIL import Image

from pipeline import __version__, open_run
from pipeline.errors import ConfigError, DataError
from pipeline.tracking import TRACKERS, TrackerKind
from tests.helpers.competitions import ONE_MODEL, draw_discs, raw_experiment
from tests.helpers.trackers import calls

REPOSITORY = Path(__file__).parents[1]


def test_ten_lines_from_an_experiment_to_a_mask(tmp_path: Path) -> None:
    draw_discs(tmp_path / "data")
    file = tmp_path / "mine.yaml"
    file.write_text(yaml.safe_dump(raw_experiment(tmp_path / "gone", **ONE_MODEL)))
    run = open_run(
        file, "train.lr=2e-3", data=tmp_path / "data", folder=tmp_path, jobs=1, quiet=True
    )
    scores = run.train()
    assert scores[["model", "fold"]].values.tolist() == [["a", 0], ["a", 1]]
    assert scores["score"].between(0, 1).all()
    assert run.ensemble()["weights"] == {"a": 1.0}
    card = run.scorecard()
    assert isinstance(card, pd.DataFrame) and card["model"].tolist() == ["a", "ensemble"]
    predict = run.predictor()
    path = next((tmp_path / "data/test").iterdir())
    image = np.asarray(Image.open(path).convert("RGB"))
    mask, probabilities = predict(image), predict(image, probabilities=True)
    assert mask.shape == (1, 48, 64) and mask.dtype == np.bool_
    assert probabilities.shape == mask.shape and probabilities.dtype == np.float32
    assert np.array_equal(mask, probabilities >= 0.5)
    assert np.array_equal(run.test_maps("a")[path.stem], probabilities)
    maps = run.oof_maps("a")
    assert len(maps) == 12 and "i0_0" in maps and "x" not in maps
    assert maps["i0_0"].shape == (1, 48, 64) and maps["i0_0"].dtype == np.float32
    images, truths, masks = run.images(), run.truths(), run.oof_masks()
    assert list(images) == list(truths) == sorted(masks)
    assert images["i0_0"].shape == (48, 64, 3) and images["i0_0"].dtype == np.uint8
    assert list(run.images("test")) == list(run.test_maps("a"))
    assert masks["i0_0"].dtype == np.bool_ and np.array_equal(masks["i0_0"], maps["i0_0"] >= 0.5)
    assert truths["i0_0"].planes.shape == masks["i0_0"].shape
    assert run.submit().is_file()
    for wrong in (image[..., 0], image / 255, image[..., :2], np.zeros((0, 3, 3), np.uint8)):
        with pytest.raises(DataError, match="HWC uint8 RGB"):
            predict(wrong)
    with pytest.raises(ConfigError, match="no model 'c'"):
        run.oof_maps("c")
    with pytest.raises(ConfigError, match=r"unknown part 'tests'.* test"):
        run.images("tests")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="did you mean epochs"):
        open_run(file, "train.epoch=3")


def test_an_experiment_may_be_a_dictionary(tmp_path: Path) -> None:
    draw_discs(tmp_path / "data", count=4)
    raw = raw_experiment(tmp_path / "gone", **ONE_MODEL)
    run = open_run(raw, "folds.seed=3", data=tmp_path / "data", folder=tmp_path, quiet=True)
    assert run.experiment.folds.seed == 3 and len(run.folds()) == 4
    assert raw == raw_experiment(tmp_path / "gone", **ONE_MODEL), "the caller's is left as it is"
    with pytest.raises(ConfigError, match=r"the experiment has 1 mistake.*\n.*did you mean epochs"):
        open_run(raw, "train.epoch=3")


def test_trackers_follow_what_python_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(TRACKERS, "records", TrackerKind("json", "tests.helpers.trackers:Records"))
    draw_discs(tmp_path / "data", count=4)
    raw = raw_experiment(tmp_path / "data", **ONE_MODEL, track=["records"])
    run = open_run(raw, "train.epochs=1", folder=tmp_path, jobs=1, quiet=True)
    run.train(fold=0)
    told = calls(run.workspace.run / "tracking/records")
    assert [call[:3] for call in told if call[1] == "log"] == [["a/fold0", "log", 1]]


def test_the_package_is_cheap_to_import() -> None:
    code = "import sys, pipeline; print(pipeline.__version__, 'torch' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == [__version__, "False"]


def test_a_cluster_of_python_is_that_of_the_commands(tmp_path: Path) -> None:
    draw_discs(tmp_path / "data")
    run = open_run(raw_experiment(tmp_path / "data"), folder=tmp_path, quiet=True, cluster="x.yaml")
    assert run.context("images").cluster == ""  # what only reads needs none
    with run._followed("train") as context, pytest.raises(ConfigError, match=r"CLUSTER='x\.yaml'"):
        _ = context.machine
