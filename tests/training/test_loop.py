"""Training: resume bit for bit, faults that stop a member, averaged and plain weights apart."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

from pipeline.errors import InterruptedRunError, TrainingError
from pipeline.execution.executor import JobContext
from pipeline.interruption import StopFlag
from pipeline.member_id import MemberId
from pipeline.models.losses import LOSSES, weighted_loss
from pipeline.reporting import JobProgress
from pipeline.stages import train
from pipeline.training import learner, loop, staged
from pipeline.training.loop import TrainingRun
from pipeline.training.member import TrainJob
from pipeline.training.resume_state import load_state
from pipeline.training.staged import train_member
from tests.helpers.competitions import context, draw_discs
from tests.helpers.training_jobs import member_bytes


@pytest.fixture(scope="module")
def discs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("discs")
    draw_discs(folder, count=16)
    return folder


def _job(discs: Path, folder: Path, **training: Any) -> TrainJob:
    blocks = {"size": [32, 32], "epochs": 3, "batch": 4, "ema": 0.9, "lr": 3e-3, **training}
    stage = context(discs, folder, train=blocks)
    return train.list_jobs(stage)[MemberId("a", 0)]


def _context(folder: Path, stop: StopFlag | None = None) -> JobContext:
    return JobContext(
        "cpu", JobProgress(folder / "progress", "job"), StopFlag() if stop is None else stop
    )


class StopAfter(StopFlag):
    """A signal that arrives after a number of looks."""

    def __init__(self, looks: int) -> None:
        super().__init__()
        self._left = looks

    def __bool__(self) -> bool:
        self._left -= 1
        if self._left < 0:
            self.signal_number = 15
        return self.signal_number != 0


@pytest.mark.parametrize(
    "steps", [3, *(pytest.param(n, marks=pytest.mark.slow) for n in (1, 2, 5))]
)
def test_an_interrupted_training_ends_with_the_bytes_of_an_unbroken_one(
    discs: Path, tmp_path: Path, steps: int
) -> None:
    whole = _job(discs, tmp_path / "whole")
    train_member(whole, _context(tmp_path))
    broken = _job(discs, tmp_path / "broken")
    with pytest.raises(InterruptedRunError):
        train_member(broken, _context(tmp_path, StopAfter(steps)))
    assert not broken.paths.manifest.exists()
    torch.rand(17)  # whatever else the process draws
    train_member(broken, _context(tmp_path))
    assert member_bytes(broken.paths.folder) == member_bytes(whole.paths.folder)
    assert "manifest.json" in member_bytes(whole.paths.folder)


def test_a_state_of_other_settings_or_with_a_flipped_bit_is_not_resumed(
    discs: Path, tmp_path: Path
) -> None:
    job = _job(discs, tmp_path / "a")
    with pytest.raises(InterruptedRunError):
        train_member(job, _context(tmp_path, StopAfter(3)))
    state = job.paths.state.read_bytes()
    assert load_state(job.paths.state, job.fingerprint) is not None
    assert load_state(job.paths.state, "another") is None
    job.paths.state.write_bytes(state[:-7] + bytes([state[-7] ^ 1]) + state[-6:])
    assert load_state(job.paths.state, job.fingerprint) is None
    job.paths.state.write_bytes(state[: len(state) // 2])
    assert load_state(job.paths.state, job.fingerprint) is None


def test_averaged_and_plain_weights_differ_and_say_what_they_are(
    discs: Path, tmp_path: Path
) -> None:
    job = _job(discs, tmp_path / "a", epochs=4, lr=0.02)
    train_member(job, _context(tmp_path))
    names = {path.name for path in job.paths.folder.glob("*.safetensors")}
    assert names == {"last_ema.safetensors", "last_plain.safetensors"}
    ema, plain = (load_file(job.paths.folder / name) for name in sorted(names))
    assert any(not torch.equal(ema[name], plain[name]) for name in ema)
    history = pd.read_csv(job.paths.history)
    assert history["epoch"].tolist() == [1, 2, 3, 4]


def test_without_averaging_only_plain_weights_are_kept(discs: Path, tmp_path: Path) -> None:
    job = _job(discs, tmp_path / "a", ema=None, epochs=1)
    train_member(job, _context(tmp_path))
    names = {path.name for path in job.paths.folder.glob("*.safetensors")}
    assert names == {"last_plain.safetensors"}


def test_what_is_kept_does_not_depend_on_the_validation_score(
    discs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The held-out fold is scored afterwards: nothing may be chosen on it before."""
    kept = []
    for scores in ([0.9, 0.1, 0.2], [0.1, 0.2, 0.9]):
        job = _job(discs, tmp_path / str(scores[0]))
        left = iter(scores)
        monkeypatch.setattr(loop, "validation_score", lambda *_, left=left: next(left))
        train_member(job, _context(tmp_path))
        kept.append(
            {path.name: path.read_bytes() for path in job.paths.folder.glob("*.safetensors")}
        )
    assert kept[0] == kept[1]


def test_another_metric_does_not_train_again(discs: Path, tmp_path: Path) -> None:
    fingerprints = set()
    for metric in ("dice", "iou"):
        stage = context(discs, tmp_path, metric=metric)
        fingerprints.add(train.list_jobs(stage)[MemberId("a", 0)].fingerprint)
    assert len(fingerprints) == 1


def test_a_loss_that_is_nan_stops_the_member_by_name_and_step(
    discs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = _job(discs, tmp_path / "a")
    real, calls = learner.weighted_loss, []

    def poisoned(*arguments: Any) -> torch.Tensor:
        calls.append(1)
        return real(*arguments) * (float("nan") if len(calls) == 3 else 1)

    monkeypatch.setattr(learner, "weighted_loss", poisoned)
    with pytest.raises(TrainingError, match=r"a/fold0: the loss is nan at step 3 of 6"):
        train_member(job, _context(tmp_path))
    assert not job.paths.manifest.exists()


def test_a_learning_rate_that_explodes_is_never_counted_as_trained(
    discs: Path, tmp_path: Path
) -> None:
    job = _job(discs, tmp_path / "a", lr=100, optimizer="sgd", clip=None, warmup=0)
    with pytest.raises(TrainingError, match="a/fold0 has diverged"):
        train_member(job, _context(tmp_path))
    assert not job.paths.manifest.exists()


def test_members_differ_by_seed_and_fold(discs: Path, tmp_path: Path) -> None:
    first = _job(discs, tmp_path / "a", epochs=1)
    other = replace(
        first,
        paths=_job(discs, tmp_path / "b").paths,
        model=first.model.model_copy(
            update={"train": first.model.train.model_copy(update={"seed": 1})}
        ),
    )
    for job in (first, other):
        train_member(job, _context(tmp_path))
    one, two = (load_file(job.paths.weights("plain")) for job in (first, other))
    assert any(not torch.equal(one[name], two[name]) for name in one)


def test_training_in_fp32_is_not_rounded_to_a_coarser_format(
    discs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []

    def looked(*arguments: Any) -> torch.Tensor:
        seen.append(torch.backends.cudnn.allow_tf32 or torch.backends.cuda.matmul.allow_tf32)
        return weighted_loss(*arguments)

    monkeypatch.setattr(learner, "weighted_loss", looked)
    torch.backends.cuda.matmul.allow_tf32 = True
    try:
        train_member(_job(discs, tmp_path, epochs=1, steps=1), _context(tmp_path))
    finally:
        torch.backends.cuda.matmul.allow_tf32 = False
    assert seen == [False]


def test_a_training_computes_with_its_own_number_of_threads(
    discs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, seen = torch.get_num_threads(), []
    monkeypatch.setattr(
        TrainingRun, "train_epoch", lambda _run, _epoch: seen.append(torch.get_num_threads())
    )
    monkeypatch.setattr(TrainingRun, "finish_epoch", lambda _run, _epoch: None)
    monkeypatch.setattr(staged, "_refuse_diverged", lambda _run: None)
    monkeypatch.setattr(staged, "finish", lambda _run: None)
    for threads in ("auto", before + 2):
        train_member(_job(discs, tmp_path, epochs=1, threads=threads), _context(tmp_path))
    assert seen == [before, before + 2] and torch.get_num_threads() == before


def test_how_many_threads_compute_makes_no_member_stale(discs: Path, tmp_path: Path) -> None:
    one, other = (_job(discs, tmp_path, threads=threads) for threads in ("auto", 3))
    assert one.fingerprint == other.fingerprint


def test_a_member_trains_with_all_losses_at_once(discs: Path, tmp_path: Path) -> None:
    loss = [{"name": name, "weight": 1e-3} for name in LOSSES if name != "ce"]
    job = pickle.loads(pickle.dumps(_job(discs, tmp_path, epochs=1, steps=2, loss=loss)))
    train_member(job, _context(tmp_path))
    assert job.paths.manifest.exists()
