"""Exported models compute what the predictor does, and their cards say how to use them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from pipeline.data.samples import SampleReader
from pipeline.errors import ArtefactError, ConfigError
from pipeline.exporting.check import check_images
from pipeline.exporting.formats import FORMATS
from pipeline.prediction.finished_run import read_finished_run
from pipeline.stages import ensemble, export
from tests.helpers.competitions import ONE_MODEL, context, draw_discs


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    root, workspace = tmp_path_factory.mktemp("discs"), tmp_path_factory.mktemp("workspace")
    draw_discs(root, size=(70, 90))
    ensemble.run(context(root, workspace, **ONE_MODEL))
    return root, workspace


def _export(finished: tuple[Path, Path], out: Path, wish: str, fold: int | None = None) -> Path:
    stage = context(*finished, **ONE_MODEL)
    request = export.ExportRequest("a", fold, wish, out)
    return export.run(stage, finished[1] / "runs/discs", request)


@pytest.mark.parametrize(
    ("wish", "fold"),
    [pytest.param("torchscript", None, marks=pytest.mark.slow), ("state_dict", 1), ("onnx", 0)],
)
def test_a_file_and_its_card(
    finished: tuple[Path, Path], tmp_path: Path, wish: str, fold: int | None
) -> None:
    if wish == "onnx":
        pytest.importorskip("onnx")
        pytest.importorskip("onnxruntime")
    path = _export(finished, tmp_path, wish, fold)
    card = yaml.safe_load(path.with_suffix(".yaml").read_text())
    assert card["members"] == (["a/fold0", "a/fold1"] if fold is None else [f"a/fold{fold}"])
    assert card["decision"]["thresholds"] == {"disc": 0.5}
    assert "multiples of 32" in card["input"]["size"]
    assert card["check"]["done"] and card["check"]["largest_difference"] <= 1e-3
    assert card["check"]["images"] == "training images i0_0, i0_1, i1_2"
    assert sorted(each.name for each in tmp_path.iterdir()) == sorted(
        [path.name, path.with_suffix(".yaml").name]
    )


def test_a_file_takes_other_sizes_and_batches_than_it_was_made_with(
    finished: tuple[Path, Path], tmp_path: Path
) -> None:
    path = _export(finished, tmp_path, "torchscript")
    run = read_finished_run(finished[1] / "runs/discs")
    network = export.network_of(run, "a", run.members["a"])
    computes = FORMATS["torchscript"].read(path, network)
    assert computes is not None
    images = np.random.default_rng(0).random((3, 3, 160, 32), np.float32)
    found = computes(images)
    assert found.shape == (3, 1, 160, 32)
    for number in range(3):
        alone = computes(images[number : number + 1])
        np.testing.assert_allclose(found[number], alone[0], atol=1e-5)


def test_without_data_the_check_is_on_noise(finished: tuple[Path, Path], tmp_path: Path) -> None:
    data = context(finished[0], tmp_path, data={"root": "gone"}).experiment.data
    images, source = check_images(SampleReader(data), None)
    assert "noise" in source and len(images) == 3


def test_a_file_that_computes_something_else_is_not_kept(
    finished: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind = FORMATS["torchscript"]

    def wrong(path: Path, network: Any) -> Any:
        return lambda images: 1 - np.asarray(kind.read(path, network)(images))  # type: ignore[misc]

    broken = type(kind)(kind.suffix, kind.write, wrong)
    monkeypatch.setitem(FORMATS, "torchscript", broken)
    with pytest.raises(ArtefactError, match=r"differ from the predictor's by up to"):
        _export(finished, tmp_path, "torchscript")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("model", "fold", "wish", "says"),
    [
        ("a", None, "onyx", "unknown format 'onyx'; the nearest names are onnx"),
        ("b", None, "onnx", "unknown model 'b'"),
        ("a", 7, "onnx", "FOLD=7: a has the folds 0, 1"),
        ("a", None, "state_dict", "choose one with FOLD="),
    ],
)
def test_a_wrong_wish_is_one_error(
    finished: tuple[Path, Path], tmp_path: Path, model: str, fold: int | None, wish: str, says: str
) -> None:
    request = export.ExportRequest(model, fold, wish, tmp_path / "out")
    with pytest.raises(ConfigError, match=says):
        export.run(context(*finished, **ONE_MODEL), finished[1] / "runs/discs", request)
