"""A training in stages: what goes over from one to the next, what begins anew, and how it stops."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

from pipeline.config.optimisation import FreezeConfig
from pipeline.errors import ConfigError, InterruptedRunError
from pipeline.reporting import Milestones
from pipeline.training.loop import TrainingRun
from pipeline.training.member import TrainJob
from pipeline.training.sampling import SampleFacts, epoch_batches
from pipeline.training.staged import train_member
from tests.helpers.competitions import draw_discs
from tests.helpers.training_jobs import StopAtStep, job_context, member_bytes, train_job

STAGES: list[dict[str, Any]] = [
    {"steps": 3, "epochs": 1},
    {"size": 48, "length": 4, "epochs": 2, "loss": "lovasz", "batch": 2, "optimizer": "sgd"},
]


@pytest.fixture(scope="module")
def discs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("discs")
    draw_discs(folder, count=16)
    return folder


@pytest.fixture(scope="module")
def whole(discs: Path, tmp_path_factory: pytest.TempPathFactory) -> TrainJob:
    """A training in two stages that nothing has stopped."""
    folder = tmp_path_factory.mktemp("whole")
    job = train_job(discs, folder, stages=STAGES)
    train_member(job, job_context(folder))
    return job


@pytest.mark.parametrize(
    ("steps", "workers"),
    [
        (3, 0),  # exactly between the stages
        *(
            pytest.param(steps, workers, marks=pytest.mark.slow)
            for steps in range(1, 7)
            for workers in (0, 2)
            if workers or steps != 3
        ),
    ],
)
def test_a_stop_in_any_stage_changes_no_byte(
    whole: TrainJob, discs: Path, tmp_path: Path, steps: int, workers: int
) -> None:
    broken = train_job(discs, tmp_path / "broken", stages=STAGES, workers=workers)
    with pytest.raises(InterruptedRunError):
        train_member(broken, job_context(tmp_path, StopAtStep(steps)))
    torch.rand(17)  # whatever else the process draws
    train_member(broken, job_context(tmp_path))
    assert member_bytes(broken.paths.folder) == member_bytes(whole.paths.folder)


def test_epochs_and_steps_are_counted_over_all_stages(whole: TrainJob) -> None:
    history = pd.read_csv(whole.paths.history)
    assert history["epoch"].tolist() == [1, 2, 3]
    assert history["score"].notna().all()
    header = whole.paths.weights("ema").read_bytes()[8:400].decode("utf-8", "replace")
    assert '"step": 7' in header.replace("\\", "")


@pytest.mark.slow
def test_a_training_of_one_stage_is_the_one_without_stages(discs: Path, tmp_path: Path) -> None:
    one = train_job(discs, tmp_path / "one", stages=[{"length": 3, "epochs": 2}])
    none = train_job(discs, tmp_path / "none", length=3)
    assert one.fingerprint == none.fingerprint and one.parts == (one,)
    for job in (one, none):
        train_member(job, job_context(tmp_path))
    assert one.paths.history.exists() and load_file(one.paths.weights("ema")).keys()
    for kind in ("ema", "plain"):
        files = [job.paths.weights(kind).read_bytes() for job in (one, none)]  # type: ignore[arg-type]
        assert files[0] == files[1]


def test_the_next_stage_takes_weights_and_average_and_begins_anew(
    discs: Path, tmp_path: Path
) -> None:
    job = train_job(discs, tmp_path, stages=STAGES)
    first, second = job.parts
    run = TrainingRun(first, job_context(tmp_path))
    run.train_epoch(0)
    run.finish_epoch(0)
    after = TrainingRun(second, job_context(tmp_path))
    pairs = [
        (run.learner.plain, after.learner.plain),
        (run.learner.average.network, after.learner.average.network),  # type: ignore[union-attr]
    ]
    for before, now in pairs:
        theirs = before.state_dict()
        assert all(torch.equal(each, theirs[name]) for name, each in now.state_dict().items())
    assert not after.learner.rates.state and type(after.learner.rates) is torch.optim.SGD
    assert (after.progress.step, after.epoch, after.progress.stage) == (0, 0, 1)
    batch = next(after.loader.epoch(0))
    assert batch.images.shape == (2, 3, 48, 48)
    for each in (run, after):
        each.loader.close()


def test_the_moving_average_goes_on_as_slowly_as_it_was(discs: Path, tmp_path: Path) -> None:
    """Its decay grows with the steps: from the first one on, it would forget the first stage."""
    stages = [{"steps": 3000}, {"steps": 5}]
    _, second = train_job(discs, tmp_path, ema=0.99, stages=stages).parts
    run = TrainingRun(second, job_context(tmp_path))
    assert run.learner.average is not None
    moved: list[int] = []
    run.learner.average.update = lambda _, step: moved.append(step)  # type: ignore[method-assign]
    run.learner.learn([next(run.loader.epoch(0))], 0)
    run.loader.close()
    assert moved == [3001]


def test_no_sample_and_no_order_of_images_comes_again(discs: Path, tmp_path: Path) -> None:
    same = [{"length": 40, "epochs": 2}] * 3
    parts = train_job(discs, tmp_path, stages=same).parts
    seeds = [part.model.train.seed for part in parts]
    assert len({*seeds}) == 3
    orders = [
        [
            key.image
            for batch in epoch_batches(SampleFacts(8), part.model.train, 0, 0)
            for key in batch
        ]
        for part in parts
    ]
    assert orders[0] != orders[1] != orders[2] != orders[0]


def test_frozen_steps_are_those_of_the_training_or_of_the_stage_that_says_so(
    discs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def frozen(freeze: dict[str, Any], *own: dict[str, Any]) -> list[FreezeConfig]:
        stages = [{"steps": 10, **each} for each in own]
        weights = {"weights": "pretrained"}
        monkeypatch.setattr(
            "tests.helpers.training_jobs.TINY", {"encoder": "test_resnet", **weights}
        )
        parts = train_job(discs, tmp_path, freeze=freeze, stages=stages).parts
        return [part.model.train.freeze for part in parts]

    first, second, third = frozen({"encoder": 14, "norms": True}, {}, {}, {})
    assert (first.encoder, second.encoder, third.encoder) == (14, 4, False)
    assert first.norms is second.norms is third.norms is True
    _, own = frozen({}, {}, {"freeze": {"encoder": 4}})
    assert own.encoder == 4
    with pytest.raises(ConfigError, match=r"train\.stages\[1\]\.freeze\.encoder: 10 steps"):
        frozen({}, {}, {"freeze": {"encoder": 10}})
    with pytest.raises(ConfigError, match=r"freeze\.encoder: 20 steps, and the training has 20"):
        frozen({"encoder": 20}, {}, {})


def test_the_epoch_line_names_the_stage(discs: Path, tmp_path: Path) -> None:
    told = Milestones(tmp_path / "progress")
    train_member(train_job(discs, tmp_path, stages=STAGES), job_context(tmp_path))
    lines = told.new()
    assert [line.partition(", loss")[0] for line in lines if ", loss" in line] == [
        "job: stage 1/2, epoch 1/3", "job: stage 2/2, epoch 2/3", "job: stage 2/2, epoch 3/3",
    ]  # fmt: skip
    assert any("left in stage 2/2" in line for line in lines)
