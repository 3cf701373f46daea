"""A training that was stopped ends with the bytes of one that was not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import lightning_fabric
import pandas as pd
import pytest
import torch
from lightning_fabric.plugins import MixedPrecision

from pipeline.errors import InterruptedRunError
from pipeline.interruption import StopFlag
from pipeline.models.decoders.registry import DECODERS
from pipeline.training import learner, loop
from pipeline.training.loop import TrainingRun
from pipeline.training.resume_state import load_state, save_state
from pipeline.training.staged import train_member
from tests.helpers.competitions import draw_discs
from tests.helpers.training_jobs import StopAtStep, job_context, member_bytes, train_job

QUICK = ("deeplabv3plus",)  # it has dropout; test_loop stops LinkNet


@pytest.fixture(scope="module")
def discs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("discs")
    draw_discs(folder, count=16)
    return folder


def _cases() -> list[Any]:
    return [
        pytest.param(
            decoder, workers, marks=() if decoder in QUICK and not workers else pytest.mark.slow
        )
        for decoder in sorted(DECODERS)
        for workers in (0, 2)
    ]


@pytest.mark.parametrize(("decoder", "workers"), _cases())
def test_a_stop_in_mid_epoch_changes_no_byte(
    discs: Path, tmp_path: Path, decoder: str, workers: int
) -> None:
    settings = {"size": [64, 64], "batch": 2, "steps": 3, "epochs": 1}
    whole = train_job(discs, tmp_path / "whole", decoder, **settings)
    train_member(whole, job_context(tmp_path))
    broken = train_job(discs, tmp_path / "broken", decoder, workers=workers, **settings)
    with pytest.raises(InterruptedRunError):
        train_member(broken, job_context(tmp_path, StopAtStep(1)))
    torch.rand(17)  # whatever else the process draws
    train_member(broken, job_context(tmp_path))
    assert member_bytes(broken.paths.folder) == member_bytes(whole.paths.folder)


@pytest.mark.slow
@pytest.mark.parametrize("model", [{"scales": {"at": [1, 0.5]}}, {"crf_rnn": {"radius": 2}}])
def test_a_stop_changes_no_byte_of_a_network_with_more_layers(
    discs: Path, tmp_path: Path, model: dict[str, Any]
) -> None:
    settings: dict[str, Any] = {"model": model, "batch": 2, "steps": 3, "epochs": 1}
    whole = train_job(discs, tmp_path / "whole", **settings)
    train_member(whole, job_context(tmp_path))
    broken = train_job(discs, tmp_path / "broken", **settings)
    with pytest.raises(InterruptedRunError):
        train_member(broken, job_context(tmp_path, StopAtStep(1)))
    train_member(broken, job_context(tmp_path))
    assert member_bytes(broken.paths.folder) == member_bytes(whole.paths.folder)


def test_the_loss_of_each_scale_is_added(discs: Path, tmp_path: Path) -> None:
    """At first all maps are alike, so that two scales and the whole cost three times as much."""
    losses = {}
    for supervise in (True, False):
        model = {"scales": {"at": [1, 0.5], "supervise": supervise}}
        job = train_job(discs, tmp_path / str(supervise), model=model, lr=1e-9, epochs=1, steps=1)
        train_member(job, job_context(tmp_path))
        losses[supervise] = float(pd.read_csv(job.paths.history)["loss"].iloc[0])
    assert losses[True] == pytest.approx(3 * losses[False], rel=0.1)


class StopInValidation(StopFlag):
    """A signal that arrives while the first held-out image is judged."""

    def check(self) -> None:
        self.signal_number = 15 if self.armed else 0
        super().check()

    armed = False


def test_a_stop_in_validation_is_heard_and_costs_no_step(
    discs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = train_job(discs, tmp_path / "whole")
    train_member(whole, job_context(tmp_path))
    broken, stop = train_job(discs, tmp_path / "broken"), StopInValidation()
    real = loop.validation_score

    def arm(*arguments: Any) -> float:
        stop.armed = True
        return real(*arguments)

    monkeypatch.setattr(loop, "validation_score", arm)
    with pytest.raises(InterruptedRunError):
        train_member(broken, job_context(tmp_path, stop))
    monkeypatch.undo()
    run = TrainingRun(broken, job_context(tmp_path))
    assert (run.progress.step, run.epoch) == (run.length.first_step(1), 0)
    train_member(broken, job_context(tmp_path))
    assert member_bytes(broken.paths.folder) == member_bytes(whole.paths.folder)


def test_the_state_is_saved_every_few_minutes(discs: Path, tmp_path: Path) -> None:
    job = train_job(discs, tmp_path / "a", save_minutes=1e-6, steps=3)
    run = TrainingRun(job, job_context(tmp_path))
    run.train_epoch(0)
    assert TrainingRun(job, job_context(tmp_path)).progress.step == 3
    job.paths.state.unlink()
    rare = TrainingRun(train_job(discs, tmp_path / "a", steps=3), job_context(tmp_path))
    rare.train_epoch(0)
    assert not job.paths.state.exists()


def test_how_often_it_is_saved_makes_no_member_stale(discs: Path, tmp_path: Path) -> None:
    often = train_job(discs, tmp_path / "a", save_minutes=1, workers=2)
    assert often.fingerprint == train_job(discs, tmp_path / "a").fingerprint


def test_a_state_of_a_gpu_that_is_not_here_is_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.serialization, "location_tag", lambda _storage: "cuda:5")
    save_state(tmp_path / "state.bin", "f", {"network": {"weight": torch.arange(3.0)}})
    monkeypatch.undo()
    state = load_state(tmp_path / "state.bin", "f")
    assert state is not None
    assert state["network"]["weight"].tolist() == [0, 1, 2]


def test_the_scaler_of_half_precision_goes_on_where_it_was(
    discs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def half(_precision: str, _device: str) -> lightning_fabric.Fabric:
        scaler = torch.amp.GradScaler("cpu", init_scale=1024.0, growth_interval=2)
        plugin = MixedPrecision("16-mixed", "cpu", scaler)
        plugin._desired_input_dtype = torch.bfloat16  # CPUs compute in it
        return lightning_fabric.Fabric(accelerator="cpu", devices=1, plugins=[plugin])

    monkeypatch.setattr(learner, "make_fabric", half)
    job = train_job(discs, tmp_path / "a", steps=5)
    with pytest.raises(InterruptedRunError):
        train_member(job, job_context(tmp_path, StopAtStep(3)))
    state = load_state(job.paths.state, job.fingerprint)
    assert state is not None
    assert state["scaler"]["scale"] == 2048 and state["scaler"]["_growth_tracker"] == 1
    scaler = TrainingRun(job, job_context(tmp_path)).learner.fabric.strategy.precision.state_dict()
    assert scaler == state["scaler"]
