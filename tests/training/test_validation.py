"""How often a training scores its held-out fold, from what, and what it waits for."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from pipeline.config import TrainConfig
from pipeline.data.samples import SampleReader
from pipeline.inference.predictor import Predictor
from pipeline.member_id import MemberId
from pipeline.metrics import metric_of
from pipeline.stages import train
from pipeline.stages.parts import decoded_samples
from pipeline.training import loader_wait
from pipeline.training.length import Length
from pipeline.training.loader_wait import timed
from pipeline.training.loop import TrainingRun
from pipeline.training.resume_state import Progress
from pipeline.training.staged import train_member
from pipeline.training.validation import validation_score
from pipeline.training.validation_epochs import validation_epochs
from tests.helpers.competitions import TINY, context, draw_discs
from tests.helpers.training_jobs import job_context, train_job


@pytest.fixture(scope="module")
def discs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("discs")
    draw_discs(folder, count=16)
    return folder


def _scored(epochs: int, **validate: Any) -> list[int]:
    """The epochs, from 1, after which it is scored, where both folds are of the same size."""
    settings = TrainConfig(epochs=epochs, size=(64, 64), batch=4, validate=validate)
    epochs_scored = validation_epochs(
        settings, Length(10 * epochs, epochs), held_out=[(64, 64)] * 40
    )
    return [epoch + 1 for epoch in range(epochs) if epoch in epochs_scored]


def test_every_few_epochs_or_the_last_ones_and_always_the_very_last() -> None:
    assert _scored(7, every=3) == [3, 6, 7]
    assert _scored(5, every=1) == [1, 2, 3, 4, 5]
    assert _scored(5, every=9) == [5]
    assert _scored(7, last=2) == [6, 7]
    assert _scored(2, last=5) == [1, 2]


def test_every_and_last_exclude_each_other_and_a_written_experiment_reads_back() -> None:
    with pytest.raises(ValueError, match="every or last, not both"):
        TrainConfig(validate={"every": 2, "last": 2})
    settings = TrainConfig(validate={"last": 2})
    assert TrainConfig.model_validate(settings.model_dump(mode="json")) == settings


def test_by_default_scores_are_rare_where_they_cost_much_but_the_last_epoch_has_one() -> None:
    # scoring costs a third of an epoch: at 5 % it would be every seventh
    assert _scored(70)[:3] == [7, 14, 21]
    assert _scored(6) == [6]


def test_by_default_a_training_of_carvana_s_shape_spends_a_twentieth_on_scores() -> None:
    settings = TrainConfig(epochs=40, size=(1024, 1024), batch=4)
    steps, held_out = 4070 // 4, [(1280, 1918)] * 1018
    scored = validation_epochs(settings, Length(40 * steps, 40), held_out)
    scoring = scored.count * sum(height * width for height, width in held_out)
    training = 3 * settings.epochs * steps * 4 * 1024 * 1024
    assert 0.03 < scoring / training < 0.051
    assert scored.count >= 8


@pytest.mark.slow
def test_an_epoch_that_is_not_scored_has_no_score_and_the_weights_are_the_same(
    discs: Path, tmp_path: Path
) -> None:
    weights = []
    for name, every in (("often", 1), ("rarely", 2)):
        job = train_job(discs, tmp_path / name, epochs=3, validate={"every": every})
        train_member(job, job_context(tmp_path))
        scores = pd.read_csv(job.paths.history)["score"]
        assert scores.isna().tolist() == [every == 2, False, False]
        weights.append(job.paths.weights("ema").read_bytes())
    assert weights[0] == weights[1]


def test_how_often_it_is_scored_makes_no_member_stale(discs: Path, tmp_path: Path) -> None:
    often, rarely = (
        train_job(discs, tmp_path / "a", validate=wish) for wish in ({"every": 1}, {"last": 1})
    )
    assert often.fingerprint == rarely.fingerprint


PRESETS: list[dict[str, Any]] = [
    {},
    {"data": {"frame": {"pad": 5}}},
    {"input": {"resize": 0.5}},
    {"metric": "pixel_accuracy"},
]


@pytest.mark.parametrize("blocks", PRESETS)
@pytest.mark.parametrize("cache", ["disk", "off"])
def test_the_score_is_that_of_one_image_after_the_other(
    discs: Path, tmp_path: Path, blocks: dict[str, Any], cache: str
) -> None:
    stage = context(
        discs, tmp_path, train={"size": [32, 32], "cache": cache}, models={"a": TINY_A}, **blocks
    )
    (job,) = decoded_samples.placed(stage, [train.list_jobs(stage)[MemberId("a", 0)]])
    network = TrainingRun(job, job_context(tmp_path)).learner.plain
    score = validation_score(job, network, job_context(tmp_path))
    assert score == pytest.approx(_slow_score(job, network), abs=1e-12)
    kept = len(list((tmp_path / "runs/discs/decoded").glob("*/*")))
    from_files = cache == "off" or "input" in blocks
    assert kept == (0 if from_files else len(job.held_out))


TINY_A = {"decoder": "linknet", **TINY}


def _slow_score(job: Any, network: torch.nn.Module) -> float:
    metric, statistics = metric_of(job.metric), []
    settings = job.model.infer.model_copy(update={"tta": ("identity",)})
    predictor = Predictor(
        [network], settings, resize=job.model.input.resize, multiclass=False,
        scale=job.reader.source.scale, device="cpu",
    )  # fmt: skip
    for sample in job.held_out:
        image = job.reader.image(sample)
        maps = job.reader.own_maps(predictor.predict([image])[0])
        truth = job.reader.truth(sample, job.reader.own_size(image))
        statistics.append(metric.measure(maps > 0.5, truth))
    return float(metric.aggregate(np.stack(statistics)))


def test_samples_that_are_kept_decoded_are_not_decoded_for_a_score(
    discs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = train_job(discs, tmp_path / "a", cache="disk")
    run = TrainingRun(job, job_context(tmp_path))
    first = validation_score(job, run.learner.plain, job_context(tmp_path))

    def refuse(*_: Any) -> None:
        raise AssertionError("decoded again")

    for name in ("image", "truth"):
        monkeypatch.setattr(SampleReader, name, refuse)
    assert validation_score(job, run.learner.plain, job_context(tmp_path)) == first


def test_a_waiting_loader_is_seen_and_a_fast_one_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr(loader_wait.time, "monotonic", lambda: clock[0])

    def batches() -> Iterator[Any]:
        for _ in range(4):
            clock[0] += 3.0
            yield ()

    progress = Progress()
    for _ in timed(batches(), progress, torch.device("cpu")):
        clock[0] += 1.0
    assert (progress.waiting_s, progress.training_s) == (12.0, 16.0)


def test_a_device_that_is_busy_when_its_batch_comes_has_not_waited(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answers = iter([True, False, False, True])  # whether earlier steps are done by then

    class Event:
        def query(self) -> bool:
            return next(answers)

    clock = [0.0]
    monkeypatch.setattr(loader_wait.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(loader_wait, "_end_of_work", lambda _: Event())

    def batches() -> Iterator[Any]:
        for _ in range(3):
            clock[0] += 2.0
            yield ()

    progress = Progress()
    for _ in timed(batches(), progress, torch.device("cpu")):
        clock[0] += 1.0
    assert (progress.waiting_s, progress.training_s) == (2.0, 9.0)


def test_the_history_says_what_share_was_waited(discs: Path, tmp_path: Path) -> None:
    job = train_job(discs, tmp_path / "a")
    train_member(job, job_context(tmp_path))
    waiting = pd.read_csv(job.paths.history)["waiting"]
    assert waiting.between(0, 1).all() and len(waiting) == 2
    assert not math.isnan(waiting.sum())
