"""What other parts of the program know of a training in stages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.checks.finding import Finding
from pipeline.config import TrainConfig
from pipeline.errors import ConfigError
from pipeline.exporting.card import card_of
from pipeline.member_id import ALL_IMAGES, MemberId
from pipeline.stages import plan, train
from pipeline.stages.context import StageContext
from pipeline.stages.parts.report_provenance import _experiment, _training
from pipeline.stages.parts.step_misfits import step_misfits
from pipeline.stages.parts.tracked import _settings
from pipeline.training.length import Length
from pipeline.training.validation_epochs import validation_epochs
from tests.helpers.competitions import TINY, context, draw_discs, said

STAGES = [{"size": 32, "length": 4, "epochs": 2}, {"size": [64, 96], "length": 2, "batch": 2}]


@pytest.fixture(scope="module")
def discs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("discs")
    draw_discs(folder, count=12, test=2)
    return folder


def _stage(discs: Path, folder: Path, decoder: str = "linknet", **blocks: Any) -> StageContext:
    models = {"a": {"decoder": decoder, **TINY}}
    return context(discs, folder, models=models, **{"train": {"stages": STAGES}, **blocks})


@pytest.mark.parametrize(
    ("decoder", "stages", "says"),
    [
        (
            "deeplabv3plus",
            [{"length": 3}, {"length": 2, "batch": 1}],
            r"models\.a: train\.stages\[1\]\.batch: 1 cannot be trained at train\.stages",
        ),
        (
            "linknet",
            [{"length": 3}, {"epochs": 2, "accumulate": 3}],
            r"train\.stages\[1\]\.accumulate: 3 of train\.stages\[1\]\.batch: 4 make 12 samples",
        ),
        (
            "linknet",
            [{"length": 3}, {"epochs": 2, "batch": 64}],
            r"train\.stages\[1\]\.batch: 64 make 64 samples a step, and an epoch has 6 images",
        ),
    ],
)
def test_every_stage_is_rehearsed_before_the_first_one_begins(
    discs: Path, tmp_path: Path, decoder: str, stages: list[dict[str, Any]], says: str
) -> None:
    stage = _stage(discs, tmp_path, decoder, train={"stages": stages, "batch": 4})
    with pytest.raises(ConfigError, match=says):
        train.run(stage)
    assert not list(tmp_path.glob("runs/discs/a/*/*"))


def test_a_stage_whose_images_lack_what_it_samples_is_named(discs: Path, tmp_path: Path) -> None:
    stages = [{"length": 3}, {"length": 3, "sample": {"positives": [0.5, 0.5]}}]
    with pytest.raises(Exception, match=r"models\.a: train\.stages\[1\]\.sample\.positives: "):
        train.list_jobs(_stage(discs, tmp_path, train={"stages": stages}))


def test_a_step_that_suits_one_size_alone_is_found_for_its_stage(
    discs: Path, tmp_path: Path
) -> None:
    steps = [{"RandomCrop": {"height": 16, "width": 16}, "p": 1}]
    stages = [{"length": 3}, {"length": 3, "augment": {"steps": steps}}]
    findings: list[Finding] = step_misfits(_stage(discs, tmp_path, train={"stages": stages}))
    assert [each.text.partition(":")[0] for each in findings] == ["train.stages[1].augment.steps"]


def test_plan_measures_each_stage(discs: Path, tmp_path: Path) -> None:
    stage = _stage(discs, tmp_path)
    job = train.list_jobs(stage)[MemberId("a", 0)]
    measured = plan._measured(stage, plan.Predicting.of(stage, {}), {MemberId("a", 0): job})["a"]
    assert len(measured.steps_s) == 2 and min(measured.steps_s) > 0


def test_the_hours_that_are_told_count_larger_crops_as_longer(discs: Path, tmp_path: Path) -> None:
    stage = _stage(discs, tmp_path)
    jobs = list(train.list_jobs(stage).values())
    projection = train._projection(stage, jobs)
    first, second = 4 * 32 * 32, 2 * 64 * 96  # pixels of a step, in the default batch of 4
    assert projection.steps == 2 * (4 + 2)
    assert projection.work == pytest.approx(2 * (4 + 2 * second / first))


@pytest.mark.slow
def test_the_sheet_has_a_strip_for_each_stage(discs: Path, tmp_path: Path) -> None:
    stage = _stage(discs, tmp_path)
    train.run(stage)
    assert "augmentation of a (stage 1/2): preset light" in said(stage)
    assert "augmentation of a (stage 2/2): preset light" in said(stage)


def test_reports_trackers_and_cards_show_all_stages(discs: Path, tmp_path: Path) -> None:
    stage = _stage(discs, tmp_path)
    model = stage.experiment.models["a"]
    assert _settings(model)["size"] == "32×32, 64×96"
    assert _settings(model)["optimizer"] == "adamw"
    assert _settings(model)["length"] == "4 steps + 2 steps"
    texts = [_training(stage.experiment, part) for _, part in model.train.parts()]
    assert ["32×32" in texts[0], "64×96" in texts[1]] == [True, True]
    assert yaml.safe_load(_experiment(stage))["train"]["stages"][1]["size"] == [64, 96]
    card = card_of(stage.experiment, "a", ["a/fold0"], {"disc": 0.5}, 32)
    assert card["input"]["trained_at"] == [64, 96]


def test_only_a_stage_that_changes_trains_anew(discs: Path, tmp_path: Path) -> None:
    def stamp(**train_: Any) -> str:
        return train.list_jobs(_stage(discs, tmp_path, train=train_))[MemberId("a", 0)].fingerprint

    same = stamp(stages=STAGES)
    assert stamp(stages=[{**STAGES[0], "lr": 1e-3}, STAGES[1]]) == same  # as `train` says
    assert stamp(stages=[{**STAGES[0], "lr": 2e-3}, STAGES[1]]) != same
    assert stamp(stages=[STAGES[0], {**STAGES[1], "length": 3}]) != same
    assert stamp(stages=STAGES[::-1]) != same
    assert stamp(stages=STAGES, workers=2) == same


def test_the_last_epochs_that_are_scored_are_those_of_the_whole_training() -> None:
    settings = TrainConfig.model_validate({"validate": {"last": 3}})
    scored = [
        [
            epoch
            for epoch in range(4)
            if epoch in validation_epochs(settings, Length(8, 4), [], later)
        ]
        for later in (0, 2, 4)
    ]
    assert scored == [[1, 2, 3], [3], []]


def test_a_member_of_all_images_has_stages_as_long_as_the_others(
    discs: Path, tmp_path: Path
) -> None:
    stages = [{"epochs": 3, "batch": 2}, {"length": 5}]
    stage = _stage(discs, tmp_path, train={"stages": stages}, folds={"count": 2, "all": True})
    lengths = {
        fold: [part.length for part in job.parts]
        for (_, fold, _), job in train.list_jobs(stage).items()
    }
    assert lengths[ALL_IMAGES] == lengths[0] == lengths[1]
