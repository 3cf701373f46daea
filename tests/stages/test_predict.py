"""Masks of other images decide exactly as the submission does, and touch nothing else."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from pipeline.api import Run
from pipeline.config import build_experiment, load_experiment
from pipeline.data import rle
from pipeline.ensemble.postprocessing.dense_crf import dense_crf
from pipeline.ensemble.postprocessing.step import ChosenStep
from pipeline.ensemble.postprocessing.view import likelihood
from pipeline.errors import ArtefactError, DataError, MaskmillError
from pipeline.metrics import get_metric
from pipeline.prediction.finished_run import read_finished_run
from pipeline.prediction.image_predictor import ImagePredictor
from pipeline.reporting import SilentReporter
from pipeline.stages import ensemble, predict, scorecard, submit, train
from tests.helpers.competitions import context, draw_discs, experiment, raw_experiment

DICE = get_metric("dice")
BLOCKS: dict[str, Any] = {
    "train": {"epochs": 1, "ema": None},
    "ensemble": {"weights": {"a": 1, "b": 0}},
}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The data and the workspace of a submitted experiment, the model b without weight."""
    root, workspace = tmp_path_factory.mktemp("discs"), tmp_path_factory.mktemp("workspace")
    draw_discs(root)
    submit.run(context(root, workspace, **BLOCKS))
    return root, workspace


def _predict(
    finished: tuple[Path, Path], *images: str, out: Path, folder: Path | None = None, **wish: bool
) -> pd.DataFrame:
    root, workspace = finished
    request = predict.PredictRequest(images, out, **wish)
    stage = context(root, workspace, **BLOCKS)
    return predict.run(stage, folder or workspace / "runs/discs", request)


def _masks_of_submission(path: Path) -> dict[str, np.ndarray]:
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    return {row.id: rle.decode(row.rle_mask, (48, 64), "column") for row in table.itertuples()}


def _snapshot(folder: Path) -> dict[Path, int]:
    files = [path for path in folder.rglob("*") if path.is_file() and path.suffix != ".lock"]
    return {path: path.stat().st_mtime_ns for path in files}


@pytest.mark.parametrize("mean", [pytest.param("geometric", marks=pytest.mark.slow), "rank"])
def test_masks_are_those_of_the_submission(
    finished: tuple[Path, Path], tmp_path: Path, mean: str
) -> None:
    root, workspace = finished
    shutil.copytree(workspace, tmp_path / "work")
    blocks = {
        **BLOCKS,
        "ensemble": {"mean": mean, "weights": {"a": 2, "b": 1}, "postprocess": ["fill_holes"]},
    }
    stage = context(root, tmp_path / "work", **blocks)
    submitted = _masks_of_submission(submit.run(stage))
    before = _snapshot(tmp_path / "work")
    request = predict.PredictRequest((str(root / "test"),), tmp_path / "masks")
    predict.run(stage, tmp_path / "work/runs/discs", request)
    assert _snapshot(tmp_path / "work") == before, "neither run nor submissions are touched"
    assert len(submitted) == 4
    for each, mask in submitted.items():
        with Image.open(tmp_path / "masks" / f"{each}.png") as picture:
            pixels = np.asarray(picture)
        assert pixels.dtype == np.uint8 and set(np.unique(pixels)) <= {0, 255}
        assert np.array_equal(pixels > 0, mask), each


def test_a_step_that_looks_at_the_image_acts_alike_everywhere(
    finished: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the search, the submission, the scorecard and predictions of files and arrays."""
    root, workspace = finished
    shutil.copytree(workspace, tmp_path / "work")
    step = ChosenStep("dense_crf", 10.0, (("colour", 20.0), ("reach", 0.2)))
    monkeypatch.setattr("pipeline.ensemble.search.selection.search_steps", lambda *_: ((step,), ()))
    wish = {"postprocess": ["dense_crf"], "threshold": 0.475}  # amid what the network says
    blocks = {**BLOCKS, "ensemble": {**BLOCKS["ensemble"], **wish}}
    stage = context(root, tmp_path / "work", **blocks)
    submitted = _masks_of_submission(submit.run(stage))
    request = predict.PredictRequest((str(root / "test"),), tmp_path / "masks")
    predict.run(stage, tmp_path / "work/runs/discs", request)
    run = read_finished_run(tmp_path / "work/runs/discs")
    assert run.recipe.steps == (step,)
    predictor, changed = ImagePredictor(run, "cpu"), 0
    for each, mask in submitted.items():
        path = root / f"test/{each}.png"
        pixels = np.asarray(Image.open(path).convert("RGB"))
        assert np.array_equal(np.asarray(Image.open(tmp_path / f"masks/{each}.png")) > 0, mask)
        assert np.array_equal(predictor(path)[0], mask)
        assert np.array_equal(predictor(pixels)[0], mask)
        likely = predictor(path, probabilities=True)
        before = likely >= run.recipe.thresholds[0]
        after = dense_crf(
            likelihood(before, likely, run.recipe.thresholds), pixels, 10, colour=20, reach=0.2
        )
        assert (after[0] != mask).mean() < 0.01, "stored maps are rounded"
        changed += int((before[0] != mask).sum())
    assert changed
    scorecard.run(stage)
    scores = pd.read_csv(tmp_path / "work/runs/discs/oof_scores.csv")
    api = Run(stage.experiment, stage.workspace, SilentReporter())
    masks, truths = api.oof_masks(), api.truths()
    dice = [DICE.measure(masks[each], truths[each]) for each in scores["id"]]
    assert DICE.per_image(np.stack(dice)) == pytest.approx(scores["score"].to_numpy())


def test_a_run_that_was_moved_predicts_without_data_maps_and_weightless_members(
    finished: tuple[Path, Path], tmp_path: Path
) -> None:
    root, workspace = finished
    moved = tmp_path / "elsewhere"
    shutil.copytree(workspace / "runs/discs", moved)
    shutil.rmtree(moved / "b")
    shutil.rmtree(moved / "a/maps")
    table = _predict(finished, str(root / "test/*.png"), out=tmp_path / "masks", folder=moved)
    assert table["image"].tolist() == sorted(path.name for path in (root / "test").iterdir())
    (path,) = (workspace / "submissions/discs").glob("*.csv")
    for each, mask in _masks_of_submission(path).items():
        assert np.array_equal(np.asarray(Image.open(tmp_path / f"masks/{each}.png")) > 0, mask)


def test_areas_probabilities_and_overlays_agree_with_the_masks(
    finished: tuple[Path, Path], tmp_path: Path
) -> None:
    """At other sizes than the training images have, smaller than a network takes included."""
    for name, size in [("small", (20, 17)), ("wide", (70, 131)), ("gray", (64, 64))]:
        mode = "L" if name == "gray" else "RGB"
        Image.effect_noise(size[::-1], 90).convert(mode).save(tmp_path / f"{name}.png")
    out = tmp_path / "out"
    table = _predict(finished, str(tmp_path), out=out, probabilities=True, overlay=True)
    written = pd.read_csv(out / "areas.csv")
    assert written.columns.tolist() == ["image", "class", "share", "objects"]
    pd.testing.assert_frame_equal(written, table)
    predictor = ImagePredictor(read_finished_run(finished[1] / "runs/discs"), "cpu")
    for row in table.itertuples():
        stem = Path(row.image).stem
        mask = np.asarray(Image.open(out / f"{stem}.png")) > 0
        assert row.share == pytest.approx(mask.mean()) and (row.objects > 0) == mask.any()
        probabilities = np.load(out / f"probabilities/{stem}.npy")
        assert probabilities.dtype == np.float32 and probabilities.shape == (1, *mask.shape)
        with Image.open(out / f"overlays/{stem}.jpg") as picture:
            assert picture.size == mask.shape[::-1]
        image = np.asarray(Image.open(tmp_path / row.image).convert("RGB"))
        assert np.array_equal(predictor(image)[0], mask)
        assert np.array_equal(predictor(tmp_path / row.image, probabilities=True), probabilities)


@pytest.mark.parametrize("multiclass", [pytest.param(True, marks=pytest.mark.slow), False])
def test_several_classes(tmp_path: Path, multiclass: bool) -> None:
    """One file with a palette where classes exclude each other, else one a class."""
    draw_discs(tmp_path / "data", classes=2)
    classes = {"ground": 0, "red": 7, "blue": 2} if multiclass else {"red": 1, "blue": 2}
    for path in (tmp_path / "data/masks").iterdir() if multiclass else ():
        mask = np.asarray(Image.open(path))
        Image.fromarray(np.where(mask == 1, 7, mask).astype(np.uint8)).save(path)
    stage = context(
        tmp_path / "data", tmp_path,
        data={"classes": classes, "multiclass": multiclass},
        models={"a": {"decoder": "linknet", "encoder": "test_resnet", "weights": None}},
        train={"epochs": 1, "ema": None, "lr": 1e-2}, ensemble={"threshold": 0.5},
        submission={"rows": "class", "key": "{id}_{class}"},
    )  # fmt: skip
    table = pd.read_csv(submit.run(stage), dtype=str, keep_default_na=False).set_index("id")
    request = predict.PredictRequest((str(tmp_path / "data/test"),), tmp_path / "out")
    areas = predict.run(stage, tmp_path / "runs/discs", request)
    assert areas["class"].tolist() == [*classes] * 4
    for stem in [path.stem for path in (tmp_path / "data/test").iterdir()]:
        for name, value in classes.items():
            sent = rle.decode(table.loc[f"{stem}_{name}", "rle_mask"], (48, 64), "column")
            where = f"{stem}.png" if multiclass else f"{name}/{stem}.png"
            with Image.open(tmp_path / "out" / where) as picture:
                assert picture.mode == ("P" if multiclass else "L")
                pixels = np.asarray(picture)
            assert np.array_equal(pixels == (value if multiclass else 255), sent.astype(bool))


def test_the_copy_of_the_experiment_is_the_experiment(
    finished: tuple[Path, Path], tmp_path: Path
) -> None:
    """Also where a model has a key back at its default that the global block has changed."""
    copy = load_experiment(finished[1] / "runs/discs/experiment.yaml")
    assert copy == experiment(finished[0], **BLOCKS)
    raw = raw_experiment(finished[0], train={"epochs": 3})
    raw["models"]["a"]["train"] = {"epochs": 20, "batch": 8}
    odd = build_experiment(raw, source="x")
    assert odd.models["a"].train.epochs == 20 and odd.models["b"].train.epochs == 3
    assert build_experiment(odd.model_dump(mode="json"), source="x") == odd


def _file_as_folder(folder: Path) -> tuple[str, Path]:
    (folder / "out").write_text("x")
    return str(folder / "new"), folder / "out"


def _no_match(folder: Path) -> tuple[str, Path]:
    return str(folder / "new/*.tif"), folder / "out"


def _missing(folder: Path) -> tuple[str, Path]:
    return str(folder / "new/z.png"), folder / "out"


def _no_image_in_folder(folder: Path) -> tuple[str, Path]:
    (folder / "none").mkdir()
    return str(folder / "none"), folder / "out"


def _cut(folder: Path) -> tuple[str, Path]:
    whole = (folder / "new/x.png").read_bytes()
    (folder / "new/cut.png").write_bytes(whole[: len(whole) // 2])
    (folder / "new/empty.png").write_bytes(b"")
    return str(folder / "new"), folder / "out"


def _twins(folder: Path) -> tuple[str, Path]:
    Image.open(folder / "new/x.png").save(folder / "new/x.bmp")
    return str(folder / "new/*"), folder / "out"


def _over_itself(folder: Path) -> tuple[str, Path]:
    return str(folder / "new"), folder / "new"


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (_file_as_folder, r"out is a file"),
        (_no_match, r"no image matches .*\*\.tif"),
        (_missing, r"there is no image .*z\.png"),
        (_no_image_in_folder, r"has no images in it"),
        (_cut, r"2 of 3 images cannot be read[\s\S]*cut\.png[\s\S]*empty\.png"),
        (_twins, r"x\.bmp and .*x\.png"),
        (_over_itself, r"would replace the image .*x\.png"),
    ],
)
def test_a_wrong_request_is_one_error_and_writes_nothing(
    finished: tuple[Path, Path], tmp_path: Path, spoil: Any, says: str
) -> None:
    (tmp_path / "new").mkdir()
    shutil.copy(next((finished[0] / "test").iterdir()), tmp_path / "new/x.png")
    images, out = spoil(tmp_path)
    before = _snapshot(tmp_path)
    with pytest.raises(DataError, match=says):
        _predict(finished, images, out=out)
    assert _snapshot(tmp_path) == before


@pytest.mark.parametrize(
    ("out", "says"),
    [
        ("submissions/discs/masks", "is a folder of submissions"),
        ("runs/discs", "is in the folder of the run"),
        ("runs/discs/a/fold0", "is in the folder of the run"),
    ],
)
def test_masks_are_not_written_among_other_artefacts(
    finished: tuple[Path, Path], out: str, says: str
) -> None:
    before = _snapshot(finished[1])
    with pytest.raises(DataError, match=says):
        _predict(finished, str(finished[0] / "test"), out=finished[1] / out)
    assert _snapshot(finished[1]) == before


def test_a_run_that_is_not_finished_says_so(finished: tuple[Path, Path], tmp_path: Path) -> None:
    train_only = context(finished[0], tmp_path, **BLOCKS)
    train_only.model, train_only.fold = "a", 0
    train.run(train_only)
    with pytest.raises(ArtefactError, match=r"is not a finished run.*make ensemble"):
        read_finished_run(tmp_path / "runs/discs")
    with pytest.raises(ArtefactError, match=r"there is no run .*disks; did you mean .*discs"):
        read_finished_run(finished[1] / "runs/disks")


@pytest.mark.slow
def test_a_member_that_was_trained_again_is_not_mixed_with_an_older_blend(
    copied: tuple[Path, Path], tmp_path: Path
) -> None:
    root, workspace = copied
    again = {**BLOCKS, "train": {"epochs": 1, "ema": None, "lr": 5e-3}}
    stage = context(root, workspace, **again)
    stage.model, stage.fold = "a", 0
    train.run(stage)
    out = workspace / "out"
    with pytest.raises(ArtefactError, match=r"trained again after the blend was chosen"):
        _predict(copied, str(root / "test"), out=out)
    assert not out.exists()
    ensemble.run(context(root, workspace, **again))
    assert len(_predict(copied, str(root / "test"), out=out)) == 4


def test_no_folder_of_the_data_gets_masks(copied: tuple[Path, Path]) -> None:
    root, _ = copied
    for folder in ("masks", "images", "test"):
        with pytest.raises(DataError, match=rf"{folder} is a folder of data\.{folder}; write"):
            _predict(copied, str(root / "images"), out=root / folder)


def test_a_manifest_of_another_artefact_is_named(copied: tuple[Path, Path]) -> None:
    folder = copied[1] / "runs/discs"
    shutil.copy(folder / "index.json", folder / "predictor.json")
    with pytest.raises(ArtefactError, match=r"predictor\.json does not name the members' weights"):
        read_finished_run(folder)


@pytest.mark.parametrize("name", ["experiment.yaml", "ensemble.yaml", "predictor.json"])
def test_a_damaged_run_is_an_error_until_it_is_made_again(
    copied: tuple[Path, Path], name: str
) -> None:
    root, workspace = copied
    path = workspace / "runs/discs" / name
    whole = path.read_bytes()
    path.write_bytes(whole[:-20])
    with pytest.raises(MaskmillError, match="ensemble"):
        read_finished_run(workspace / "runs/discs")
    ensemble.run(context(root, workspace, **BLOCKS))
    assert path.read_bytes() == whole
    read_finished_run(workspace / "runs/discs")


def test_references_are_refused_with_what_to_do(
    finished: tuple[Path, Path], tmp_path: Path
) -> None:
    run = read_finished_run(finished[1] / "runs/discs")
    data = run.experiment.data.model_copy(update={"reference": "refs/{id}.png"})
    wanting = run.experiment.model_copy(update={"data": data})
    with pytest.raises(DataError, match=r"data\.reference.*make submit"):
        predict.refuse_references(wanting)
