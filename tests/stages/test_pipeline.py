"""The whole way from a folder of images and masks to a submission, on tiny discs."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from pipeline.data import rle
from pipeline.data.images import read_rgb
from pipeline.data.samples import SampleReader
from pipeline.errors import ArtefactError, ConfigError, DataError
from pipeline.inference.job import InferJob, Output, make_predictor
from pipeline.inference.sinks import StoreSink
from pipeline.member_id import MemberId
from pipeline.stages import check, ensemble, folds, infer, leaderboard, scorecard, submit, train
from pipeline.stages.parts.map_jobs import weights_of
from tests.helpers.competitions import context, draw_discs, said


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The data and the workspace of an experiment that has run to its end."""
    root, workspace = tmp_path_factory.mktemp("discs"), tmp_path_factory.mktemp("workspace")
    draw_discs(root)
    scorecard.run(context(root, workspace, asked="all"))
    return root, workspace


def _bytes(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.suffix != ".lock"
    }


def test_the_submission_has_a_valid_row_for_every_test_image(finished: tuple[Path, Path]) -> None:
    root, workspace = finished
    (path,) = (workspace / "submissions" / "discs").glob("*.csv")
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    assert table.columns.tolist() == ["id", "rle_mask"]
    assert table["id"].tolist() == sorted(image.stem for image in (root / "test").iterdir())
    for text in table["rle_mask"]:
        rle.decode(text, (48, 64), "column")
    note = yaml.safe_load(path.with_suffix(".yaml").read_text())
    assert note["leaderboard"] is None and set(note["weights"]) == {"a", "b"}


def test_the_data_folder_is_never_written_to(finished: tuple[Path, Path], tmp_path: Path) -> None:
    draw_discs(tmp_path)
    assert _bytes(finished[0]) == _bytes(tmp_path)


def test_a_second_run_touches_nothing(finished: tuple[Path, Path]) -> None:
    root, workspace = finished
    before = {path: path.stat().st_mtime_ns for path in workspace.rglob("*") if path.is_file()}
    again = context(root, workspace, asked="all")
    scorecard.run(again)
    after = {path: path.stat().st_mtime_ns for path in workspace.rglob("*") if path.is_file()}
    changed = [path for path in after if after[path] != before.get(path)]
    assert [path for path in changed if path.suffix != ".lock"] == []
    assert "train: up to date" in said(again)


def test_oof_maps_come_from_the_member_that_did_not_see_the_image(
    finished: tuple[Path, Path],
) -> None:
    """Predicting an image with the other fold's member must give another map."""
    root, workspace = finished
    stage = context(root, workspace)
    table, inferred = folds.run(stage), infer.run(stage)
    members, survey = train.run(stage), check.run(stage)
    row = table.iloc[0]
    image = stage.experiment.data.root / "images" / f"{row['id']}.png"
    maps = {}
    for fold in (0, 1):
        weights = weights_of(members[MemberId("a", fold)])
        output = Output(stage.experiment.models["a"], (weights,))
        samples = survey.samples("train", [row["id"]])
        sink = StoreSink((inferred.oof["a"],))
        job = InferJob((output,), sink, 1, False, SampleReader(stage.experiment.data), samples)
        (maps[fold],) = make_predictor(job, output, "cpu").predict([read_rgb(image)])
    stored = inferred.oof["a"].read(row["id"])
    own, other = maps[int(row["fold"])], maps[1 - int(row["fold"])]
    assert np.abs(stored - own).max() <= 0.5 / 255 + 1e-6
    assert np.abs(stored - other).max() > 0.5 / 255 + 1e-6


def test_scores_of_the_scorecard_follow_from_the_stored_maps(finished: tuple[Path, Path]) -> None:
    root, workspace = finished
    facts = ensemble.run(context(root, workspace)).facts
    scores = pd.read_csv(workspace / "runs/discs/oof_scores.csv")
    assert facts["score"]["tuned"] == pytest.approx(scores["score"].mean())
    for fold, rows in scores.groupby("fold"):
        assert facts["score"]["folds"][fold] == pytest.approx(rows["score"].mean())
    card = pd.read_csv(workspace / "runs/discs/scorecard.csv", dtype=str)
    assert card["model"].tolist() == ["a", "b", "ensemble"]
    assert {"CV", "fold 0", "fold 1", "± folds", "OOF", "nested", "threshold", "LB"} <= set(card)
    alone = max(each["tuned"] for each in facts["models"].values())
    assert facts["score"]["tuned"] >= alone - 1e-9


def test_the_report_is_one_file_that_needs_no_network(finished: tuple[Path, Path]) -> None:
    page = (finished[1] / "runs/discs/report.html").read_text()
    assert "data:image/" in page and "<script" not in page
    assert 'src="http' not in page and 'href="http' not in page


def test_a_leaderboard_score_reaches_the_scorecard(copied: tuple[Path, Path]) -> None:
    root, workspace = copied
    leaderboard.run(context(root, workspace), 0.4321)
    table = scorecard.run(context(root, workspace))
    assert table["LB"].iloc[-1] == "0.43210"


@pytest.mark.parametrize(
    ("blocks", "redone"),
    [
        pytest.param({"train": {"lr": 2e-3}}, "train", marks=pytest.mark.slow),
        ({"infer": {"tta": ["identity"]}}, "infer"),
        ({"ensemble": {"weights": "equal"}}, "ensemble"),
        ({"submission": {"order": "row"}}, "submit"),
    ],
)
def test_a_changed_setting_redoes_its_stage_and_not_the_ones_before(
    copied: tuple[Path, Path], blocks: dict[str, Any], redone: str
) -> None:
    root, workspace = copied
    stage = context(root, workspace, **blocks)
    submit.run(stage)
    order = ["check", "folds", "train", "infer", "ensemble", "submit"]
    made = [line.split(":")[0] for line in said(stage).splitlines() if " → " in line]
    assert made == order[order.index(redone) :]


def test_a_changed_test_image_redoes_only_its_own_maps_and_what_follows(
    copied: tuple[Path, Path], tmp_path: Path
) -> None:
    root, workspace = copied
    changed = tmp_path / "data"
    shutil.copytree(root, changed)
    image = next((changed / "test").iterdir())
    shutil.copy(changed / "images" / "i0_0.png", image)
    stage = context(changed, workspace)
    submit.run(stage)
    assert "trained" not in said(stage)
    assert "infer: 2 maps" in said(stage), "that of the image, by each model"


def test_a_tracker_makes_nothing_stale(copied: tuple[Path, Path]) -> None:
    root, workspace = copied
    stage = context(root, workspace, asked="all", track=["tensorboard"])
    scorecard.run(stage)
    assert " → " not in said(stage)


def test_damaged_weights_are_named_and_not_used(copied: tuple[Path, Path]) -> None:
    root, workspace = copied
    path = workspace / "runs/discs/a/fold0/last_ema.safetensors"
    data = bytearray(path.read_bytes())
    data[-9] ^= 1
    path.write_bytes(data)
    shutil.rmtree(workspace / "runs/discs/a/maps/oof")
    with pytest.raises(ArtefactError, match=r"fold0/last_ema.safetensors is damaged.*a/fold0"):
        infer.run(context(root, workspace))


def test_a_fold_table_from_a_teammate_is_kept_and_a_leaking_one_refused(
    copied: tuple[Path, Path],
) -> None:
    root, workspace = copied
    path = workspace / "folds/discs.csv"
    table = pd.read_csv(path, dtype=str)
    swapped = table.assign(fold=1 - table["fold"].astype(int))
    swapped.to_csv(path, index=False)
    (workspace / "folds/discs.json").unlink()
    assert folds.run(context(root, workspace))["fold"].tolist() == swapped["fold"].tolist()
    swapped.loc[0, "fold"] = 1 - swapped.loc[0, "fold"]
    swapped.to_csv(path, index=False)
    with pytest.raises(ArtefactError, match="'i0' is in several folds"):
        folds.run(context(root, workspace))


@pytest.mark.parametrize(("model", "fold"), [("c", None), (None, 2), (None, -1)])
def test_a_model_or_fold_that_does_not_exist_is_an_error(
    finished: tuple[Path, Path], model: str | None, fold: int | None
) -> None:
    stage = context(*finished)
    stage.model, stage.fold = model, fold
    with pytest.raises(ConfigError, match=r"MODEL=c|FOLD="):
        train.run(stage)


@pytest.mark.slow
def test_one_member_at_a_time_ends_where_all_at_once_do(
    finished: tuple[Path, Path], tmp_path: Path
) -> None:
    root, workspace = finished
    for model in ("b", "a"):
        for fold in (1, 0):
            stage = context(root, tmp_path)
            stage.model, stage.fold = model, fold
            infer.run(stage)
    submit.run(context(root, tmp_path))
    assert _bytes(tmp_path / "submissions") == _bytes(workspace / "submissions")


@pytest.mark.parametrize("damage", ["edited", "cut", "empty", "gone"])
def test_a_blend_that_is_not_as_it_was_written_is_made_anew(
    copied: tuple[Path, Path], damage: str
) -> None:
    root, workspace = copied
    path = workspace / "runs/discs/ensemble.yaml"
    whole = path.read_text()
    if damage == "gone":
        path.unlink()
    else:
        edited = whole.replace("  a: ", "  a: 1")
        assert edited != whole
        path.write_text({"edited": edited, "cut": whole[:60], "empty": ""}[damage])
    stage = context(root, workspace)
    submit.run(stage)
    assert path.read_text() == whole
    assert "ensemble: blend of" in said(stage) and "submit:" not in said(stage)
    told = [
        text
        for text in stage.reporter.warned
        if "was edited by hand and will be regenerated" in text
    ]
    assert len(told) == (damage != "gone")


def test_the_interval_is_for_as_many_groups_as_the_test_set_has(
    copied: tuple[Path, Path], tmp_path: Path
) -> None:
    root, workspace = copied
    facts = ensemble.run(context(root, workspace)).facts
    assert facts["score"]["interval_groups"] == 2, "four images, two of each group"
    fewer = tmp_path / "data"
    shutil.copytree(root, fewer)
    for image in (fewer / "test").glob("t1_*"):
        image.unlink()
    stage = context(fewer, workspace)
    score = ensemble.run(stage).facts["score"]
    assert score["interval_groups"] == 1
    before, after = (np.ptp(each["interval"]) for each in (facts["score"], score))
    assert after > before
    assert score["nested"] == facts["score"]["nested"]


def test_a_single_used_fold_has_no_nested_score_and_says_so(copied: tuple[Path, Path]) -> None:
    root, workspace = copied
    stage = context(root, workspace, folds={"use": [1]})
    facts = ensemble.run(stage).facts
    assert facts["score"]["nested"] is None
    assert any("nested" in text for text in stage.reporter.warned)


def test_without_test_images_everything_but_the_submission_is_made(
    copied: tuple[Path, Path],
) -> None:
    root, workspace = copied
    stage = context(root, workspace, data={"test": None})
    scorecard.run(stage)
    with pytest.raises(DataError, match=r"no test images \(data.test\)"):
        submit.run(context(root, workspace, data={"test": None}))


def test_two_multiclass_classes_with_void_and_png_free_background(tmp_path: Path) -> None:
    draw_discs(tmp_path / "data", classes=2)
    stage = context(
        tmp_path / "data", tmp_path / "work",
        data={"classes": {"background": 0, "red": 1, "green": 2}, "multiclass": True},
        metric="mean_iou",
        submission={"rows": "class", "key": "{id}_{class}"},
        train={"epochs": 1},
    )  # fmt: skip
    path = submit.run(stage)
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    assert len(table) == 4 * 3
    for sample_id, rows in table.groupby(table["id"].str.rpartition("_")[0]):
        masks = [rle.decode(text, (48, 64), "column") for text in rows["rle_mask"]]
        assert (np.sum(masks, axis=0) == 1).all(), sample_id
