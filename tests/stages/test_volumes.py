"""Volumes from check to submission, and stacks of masks of new ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile
import yaml

from pipeline import cli, open_run
from tests.helpers.competitions import TINY
from tests.helpers.volumes import SIDES, draw_volume, draw_volumes, save_volume, volume_experiment


def _make(*words: str) -> int:
    return cli.main([*words, "--config", "tubes.yaml", "--jobs", "1"])


def test_check_tells_of_volumes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    draw_volumes(tmp_path / "data", count=5, test=1)
    raw = volume_experiment(tmp_path / "data")
    Path("tubes.yaml").write_text(yaml.safe_dump({**raw, "name": "tubes"}))
    assert _make("check") == 0, capsys.readouterr().err
    shown = capsys.readouterr()
    assert "volumes" in shown.out and "40×48" in shown.out and "spacing" in shown.out
    assert "same image" not in shown.err and "not read" not in shown.err
    save_volume(tmp_path / "data/labels/case3.tif", draw_volume(3)[1][:4])
    assert _make("check") == 1
    said = capsys.readouterr().err
    assert "case3.tif has 4 slice(s) of 40×48" in said and "and its images" in said
    (tmp_path / "data/labels/case4.tif").unlink()
    assert _make("check") == 1
    assert "case4_0000: no mask matches labels/{id}.tif" in capsys.readouterr().err


@pytest.mark.slow
def test_from_volumes_to_stacks_of_masks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    draw_volumes(tmp_path / "data", count=4, test=1)
    data = {"stack": {"neighbours": [-1, 0, 1]}, "volume": {"first": 1}}
    raw = volume_experiment(
        tmp_path / "data",
        data=data,
        models={"a": {"decoder": "unet", **TINY}},
        train={"epochs": 1, "steps": 2, "ema": None},
        infer={"axes": ["z", "x"], "tta": ["identity"]},
    )
    Path("tubes.yaml").write_text(yaml.safe_dump({**raw, "name": "tubes"}))
    assert _make("all") == 0, capsys.readouterr().err
    folds = pd.read_csv("folds/tubes.csv", dtype=str)
    assert len(folds) == 24 and (folds.groupby("group").fold.nunique() == 1).all()
    (submission,) = Path("submissions/tubes").glob("*.csv")
    ids = pd.read_csv(submission, dtype=str, keep_default_na=False).iloc[:, 0].tolist()
    assert ids == [f"case4_{number:04d}" for number in range(1, 7)]
    for number in (4, 9):
        save_volume(tmp_path / f"new/v{number}.npy", draw_volume(number)[0])
    assert _make("predict", "--images=new", "--out=masks") == 0, capsys.readouterr().err
    assert sorted(path.name for path in Path("masks").iterdir()) == [
        "areas.csv", "v4.tif", "v9.tif",
    ]  # fmt: skip
    predict = open_run("tubes.yaml", quiet=True).predictor()
    for number in (4, 9):
        pages = tifffile.imread(f"masks/v{number}.tif")
        assert pages.shape == SIDES and set(np.unique(pages)) <= {0, 255}
        assert np.array_equal(predict(f"new/v{number}.npy")[0], pages > 0)
    areas = pd.read_csv("masks/areas.csv")
    assert areas["image"].tolist()[:2] == ["v4_0001", "v4_0002"] and len(areas) == 12
