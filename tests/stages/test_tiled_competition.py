"""A competition whose images are larger than a tile: stores, sums and predicted masks agree."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from pipeline.data import rle
from pipeline.prediction.finished_run import read_finished_run
from pipeline.prediction.image_predictor import ImagePredictor
from pipeline.stages import infer, predict, submit
from tests.helpers.competitions import TINY, context, draw_discs

BLOCKS: dict[str, Any] = {
    "train": {"epochs": 1, "ema": None},
    "models": {
        "a": {"decoder": "linknet", **TINY, "infer": {"tile": [32, 32], "tta": ["d4"]}},
        "b": {"decoder": "unet", **TINY, "infer": {"tile": [32, 40]}, "input": {"resize": 0.8}},
    },
    "ensemble": {"weights": {"a": 0.4, "b": 0.6}, "threshold": 0.45},
}


@pytest.mark.slow
def test_stores_sums_and_masks_agree(tmp_path: Path) -> None:
    root = tmp_path / "data"
    draw_discs(root, count=4, test=2)
    for path in (root / "test").iterdir():
        Image.open(path).save(path.with_suffix(".tif"), compression="tiff_adobe_deflate")
        path.unlink()
    data = {"test": "test/{id}.tif"}
    (tmp_path / "work").mkdir()
    stage = context(root, tmp_path / "work", data=data, **BLOCKS)
    submitted = submit.run(stage)
    stores = infer.run(stage).test
    assert all(store.is_complete and not list(store.verify()) for store in stores.values())

    summed = {**BLOCKS, "ensemble": {**BLOCKS["ensemble"], "accumulate": True}}
    again = submit.run(context(root, tmp_path / "work", data=data, **summed))
    assert again != submitted and again.read_bytes() == submitted.read_bytes()

    request = predict.PredictRequest((str(root / "test"),), tmp_path / "out", probabilities=True)
    folder = tmp_path / "work/runs/discs"
    predict.run(context(root, tmp_path / "work", data=data, **BLOCKS), folder, request)
    predictor = ImagePredictor(read_finished_run(folder), "cpu")
    table = pd.read_csv(submitted, dtype=str, keep_default_na=False)
    for row in table.itertuples():
        mask = rle.decode(row.rle_mask, (48, 64), "column")
        assert np.array_equal(np.asarray(Image.open(tmp_path / f"out/{row.id}.png")) > 0, mask)
        path = root / f"test/{row.id}.tif"
        assert np.array_equal(predictor(path)[0], mask)
        written = np.load(tmp_path / f"out/probabilities/{row.id}.npy")
        pixels = np.asarray(Image.open(path))
        assert np.array_equal(predictor(pixels, probabilities=True), written)
