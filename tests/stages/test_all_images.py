"""Members of all images (`folds.all`): they predict test images alone, and nothing else changes."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pipeline.data.images import read_rgb
from pipeline.data.samples import SampleReader
from pipeline.errors import ArtefactError, ConfigError
from pipeline.inference.job import InferJob, Output, make_predictor
from pipeline.inference.sinks import StoreSink
from pipeline.manifests import read_manifest
from pipeline.member_id import ALL_IMAGES, MemberId
from pipeline.prediction.finished_run import read_finished_run
from pipeline.stages import check, ensemble, export, infer, plan, scorecard, train, verify
from pipeline.stages.context import StageContext
from pipeline.stages.parts.map_jobs import weights_of
from pipeline.training.length import training_length
from tests.helpers.competitions import ONE_MODEL, context, draw_discs, said
from tests.helpers.run_contents import contents

pytestmark = pytest.mark.slow


def staged(root: Path, workspace: Path, every: bool = True, asked: str = "") -> StageContext:
    return context(root, workspace, asked=asked, **ONE_MODEL, folds={"count": 2, "all": every})


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Data, and a run without such members."""
    root, workspace = tmp_path_factory.mktemp("discs"), tmp_path_factory.mktemp("before")
    draw_discs(root)
    scorecard.run(staged(root, workspace, every=False, asked="all"))
    return root, workspace


@pytest.fixture(scope="module")
def finished(
    before: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Path]:
    """The same run, with `folds.all` set after its end."""
    root, workspace = before[0], tmp_path_factory.mktemp("finished")
    shutil.copytree(before[1], workspace, dirs_exist_ok=True)
    scorecard.run(staged(root, workspace, asked="all"))
    return root, workspace


@pytest.mark.slow
def test_only_the_new_member_is_trained_and_only_test_maps_change(
    before: tuple[Path, Path], finished: tuple[Path, Path]
) -> None:
    for pattern in ("a/fold*/*", "a/maps/oof/*", "ensemble.yaml", "oof_scores.csv"):
        old, new = (contents(folder, pattern) for _, folder in (before, finished))
        assert old and old == new, pattern
    old, new = (contents(folder, "a/maps/test/maps.npy") for _, folder in (before, finished))
    assert old != new
    again = staged(*finished, asked="all")
    scorecard.run(again)
    assert "train: up to date" in said(again)


def test_without_them_again_the_submission_is_the_one_from_before(
    before: tuple[Path, Path], copied: tuple[Path, Path]
) -> None:
    infer.run(staged(*copied, every=False))
    old, new = (contents(folder, "a/maps/test/maps.npy") for _, folder in (before, copied))
    assert old == new


def test_it_learns_from_all_images_as_long_as_the_folds_members(
    finished: tuple[Path, Path],
) -> None:
    jobs = train.list_jobs(staged(*finished))
    every, folds = jobs[MemberId("a", ALL_IMAGES)], [jobs[MemberId("a", fold)] for fold in (0, 1)]
    ids = {sample.id for job in folds for sample in job.train}
    assert {sample.id for sample in every.train} == ids and not every.held_out
    assert len(every.train) == len(folds[0].train) + len(folds[1].train)
    lengths = {training_length(len(job.train), job.model.train) for job in (every, *folds)}
    assert len(lengths) == 1
    alone = training_length(len(every.train), folds[0].model.train)
    assert alone not in lengths, "by its own images it would be longer"
    history = pd.read_csv(every.paths.history)
    assert history["score"].isna().all() and len(history) == 1
    assert (read_manifest(every.paths.manifest) or {})["score"] is None


def test_a_test_map_is_the_mean_of_the_folds_and_this_member(finished: tuple[Path, Path]) -> None:
    stage = staged(*finished)
    members, inferred = train.run(stage), infer.run(stage)
    weights = tuple(weights_of(members[MemberId("a", fold)]) for fold in (0, 1, ALL_IMAGES))
    assert weights[2].member == "a/all"
    output = Output(stage.experiment.models["a"], weights)
    sample = check.run(stage).samples("test", [inferred.test["a"].ids[0]])[0]
    sink, reader = StoreSink((inferred.test["a"],)), SampleReader(stage.experiment.data)
    job = InferJob((output,), sink, 1, False, reader, (sample,))
    (expected,) = make_predictor(job, output, "cpu").predict([read_rgb(sample.image)])
    assert np.abs(inferred.test["a"].read(sample.id) - expected).max() <= 0.5 / 255 + 1e-6


def test_the_scorecard_says_that_it_has_no_score(finished: tuple[Path, Path]) -> None:
    table = scorecard.run(staged(*finished)).set_index("model")
    assert table.loc["a/all", "OOF"] == "no OOF score"
    assert table.loc["a/all", "nested"] == table.loc["a/all", "CV"] == ""
    assert "a/all" in (finished[1] / "runs/discs/scorecard.md").read_text()


def test_prediction_and_export_know_it(finished: tuple[Path, Path], tmp_path: Path) -> None:
    run = finished[1] / "runs/discs"
    names = [each.member for each in read_finished_run(run).members["a"]]
    assert names == ["a/fold0", "a/fold1", "a/all"]
    request = export.ExportRequest("a", "all", "state_dict", tmp_path)
    assert export.run(staged(*finished), run, request).stem == "a-all"
    for fold in (-1, 2):
        with pytest.raises(ConfigError, match="a has the folds 0, 1, all"):
            export.run(staged(*finished), run, export.ExportRequest("a", fold, "state_dict", None))


def test_one_that_changes_after_the_blend_is_not_mixed_in(copied: tuple[Path, Path]) -> None:
    root, workspace = copied
    weights = workspace / "runs/discs/a/all/last_plain.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    with pytest.raises(ArtefactError, match="a/all"):
        verify.run(staged(root, workspace))
    run = workspace / "runs/discs"
    with pytest.raises(ArtefactError, match="a/all"):
        export.run(
            staged(root, workspace), run, export.ExportRequest("a", None, "state_dict", None)
        )


def test_a_deleted_one_is_trained_again_to_the_same_bytes(
    copied: tuple[Path, Path], finished: tuple[Path, Path]
) -> None:
    root, workspace = copied
    shutil.rmtree(workspace / "runs/discs/a/all")
    ensemble.run(staged(root, workspace))
    for pattern in ("a/all/*.safetensors", "a/maps/test/maps.npy", "predictor.json"):
        assert contents(workspace, pattern) == contents(finished[1], pattern) != {}


def test_it_can_be_asked_for_alone(before: tuple[Path, Path], tmp_path: Path) -> None:
    stage = staged(before[0], tmp_path, asked="train")
    stage.fold = "all"
    train.run(stage)
    assert [path.name for path in (tmp_path / "runs/discs/a").iterdir()] == ["all"]
    assert "next: make infer FOLD=all" in said(stage)
    stage = staged(before[0], tmp_path, asked="infer")
    stage.fold = "all"
    assert infer.run(stage) == infer.Inferred({}, {})
    assert "leave out FOLD=all" in said(stage)
    assert not (tmp_path / "runs/discs/a/maps").exists()


@pytest.mark.parametrize(("fold", "every"), [("all", False), (-1, True), (2, True), ("al", True)])
def test_what_is_not_there_cannot_be_asked_for(
    finished: tuple[Path, Path], fold: Any, every: bool
) -> None:
    stage = staged(*finished, every=every)
    stage.fold = fold
    with pytest.raises(ConfigError, match="FOLD="):
        train.run(stage)


def test_a_plan_counts_it(finished: tuple[Path, Path]) -> None:
    (line,) = [each for each in plan.run(staged(*finished)) if each.stage == "train"]
    assert "3 members" in str(line)
