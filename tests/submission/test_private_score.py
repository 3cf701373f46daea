"""The demo's own leaderboard: a submission file against hidden masks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.config import Experiment, build_experiment
from pipeline.data import rle
from pipeline.errors import DataError
from pipeline.submission.private_score import private_score
from tests.helpers.data_folders import palette_gif, write
from tests.helpers.decided import send
from tests.helpers.experiments import raw

SIZE = (8, 10)
TRUTH = {"a": np.eye(*SIZE, dtype=np.uint8), "b": np.zeros(SIZE, np.uint8)}


def world(root: Path, **submission: Any) -> tuple[dict[str, Path], Experiment]:
    masks = {key: write(root / f"{key}.gif", palette_gif(values)) for key, values in TRUTH.items()}
    metric = submission.pop("metric", "dice")
    parts = raw(submission=submission, metric=metric)
    return masks, build_experiment(parts, source="x")


def sent(root: Path, lines: dict[str, str]) -> Path:
    text = "".join(f"{key},{text}\n" for key, text in lines.items())
    return write(root / "s.csv", "img,rle_mask\n" + text)


@pytest.mark.parametrize("order", ["row", "column"])
@pytest.mark.parametrize("relative", [False, True])
def test_the_truth_itself_scores_one(order: rle.Order, relative: bool, tmp_path: Path) -> None:
    masks, experiment = world(tmp_path, key="{id}.jpg", order=order, relative=relative, empty="-1")
    texts = {f"{key}.jpg": rle.encode(mask, order, relative=relative) or "-1"
             for key, mask in TRUTH.items()}  # fmt: skip
    assert private_score(sent(tmp_path, texts), masks, experiment) == 1


def test_the_score_is_the_mean_of_images_whatever_the_order_of_lines(tmp_path: Path) -> None:
    masks, experiment = world(tmp_path, order="row")
    half = rle.encode(TRUTH["a"] * (np.arange(8) < 4)[:, None], "row")
    path = sent(tmp_path, {"b": "", "other": "1 1", "a": half})
    assert private_score(path, masks, experiment) == pytest.approx((2 * 4 / 12 + 1) / 2)
    path = sent(tmp_path, {"a": half, "b": "1 1"})
    assert private_score(path, masks, experiment) == pytest.approx(2 * 4 / 12 / 2)


def test_the_experiments_own_metric_scores(tmp_path: Path) -> None:
    masks, experiment = world(tmp_path, order="row", metric="iou")
    half = rle.encode(TRUTH["a"] * (np.arange(8) < 4)[:, None], "row")
    score = private_score(sent(tmp_path, {"a": half, "b": ""}), masks, experiment)
    assert score == pytest.approx((0.5 + 1) / 2)


@pytest.mark.parametrize(
    "submission",
    [
        {"format": "masks"}, {"format": "masks", "pack": "folder"}, {"format": "npz"},
        {"format": "npy"}, {"format": "pixels"}, {"format": "coco"}, {"format": "geojson"},
        {"encoding": "json", "rows": "instance", "join": ";"},
    ],
)  # fmt: skip
def test_every_format_is_scored(submission: dict[str, Any], tmp_path: Path) -> None:
    masks, experiment = world(tmp_path, **submission)
    half = {"a": TRUTH["a"][None] * (np.arange(8) < 4)[:, None] > 0, "b": TRUTH["b"][None] > 0}
    assert private_score(send(experiment, half, tmp_path), masks, experiment) == pytest.approx(
        (2 * 4 / 12 + 1) / 2
    )


def test_a_line_that_is_missing_or_wrong_is_named(tmp_path: Path) -> None:
    masks, experiment = world(tmp_path)
    with pytest.raises(DataError, match=r"s\.csv has no line 'b'"):
        private_score(sent(tmp_path, {"a": ""}), masks, experiment)
    with pytest.raises(DataError, match="run 1"):
        private_score(sent(tmp_path, {"a": "1 81", "b": ""}), masks, experiment)
