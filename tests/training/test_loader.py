"""Loader processes: deaf to signals, gone with their training, and honest about what went wrong."""

from __future__ import annotations

import multiprocessing
import os
import signal
from pathlib import Path
from typing import Any

import pytest
import torch

from pipeline.errors import InterruptedRunError, MaskmillError, ResourceError
from pipeline.training.dataset import TrainingSet
from pipeline.training.learner import Learner
from pipeline.training.loader import EpochLoader
from pipeline.training.loop import TrainingRun
from pipeline.training.member import TrainJob
from pipeline.training.staged import train_member
from tests.helpers.competitions import draw_discs
from tests.helpers.training_jobs import StopAtStep, job_context, train_job


@pytest.fixture
def discs(tmp_path: Path) -> Path:
    draw_discs(tmp_path / "discs", count=16)
    return tmp_path / "discs"


def _loader(job: TrainJob, workers: int, warned: list[str] | None = None) -> EpochLoader:
    warned = [] if warned is None else warned
    settings = job.model.train
    return EpochLoader(
        TrainingSet(job.train, job.reader, settings, job.model.input),
        settings,
        workers,
        pin=False,
        warn=warned.append,
    )


def test_processes_hear_no_signal_and_end_when_they_are_closed(discs: Path, tmp_path: Path) -> None:
    loader = _loader(train_job(discs, tmp_path / "a", steps=8), 2)
    before = set(multiprocessing.active_children())
    batches = loader.epoch(0)
    next(batches)
    processes = set(multiprocessing.active_children()) - before
    assert len(processes) == 2
    for number in (signal.SIGTERM, signal.SIGINT):
        for process in processes:
            os.kill(process.pid, number)
    assert len(list(batches)) == 7
    loader.close()
    for process in processes:
        process.join(10)
        assert not process.is_alive()


def _killed_at(loader: EpochLoader, positions: set[int]) -> list[Any]:
    """The batches of an epoch; a loader process is killed before those at `positions`."""
    came = []
    for batch in loader.epoch(0):
        came.append(batch)
        if len(came) in positions:
            os.kill(multiprocessing.active_children()[0].pid or 0, signal.SIGKILL)
    return came


def test_a_process_that_dies_is_replaced_and_the_batches_are_the_same(
    discs: Path, tmp_path: Path
) -> None:
    job, warned = train_job(discs, tmp_path / "a", steps=8), list[str]()
    whole = list(_loader(job, 0).epoch(0))
    loader = _loader(job, 1, warned)
    came = _killed_at(loader, {2, 5})
    loader.close()
    assert len(came) == len(whole) == 8
    for got, wanted in zip(came, whole, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(got[:4], wanted[:4], strict=True))
    assert 1 <= len(warned) <= 2 and "has died and is replaced" in warned[0]


def test_processes_that_die_again_and_again_are_an_error(discs: Path, tmp_path: Path) -> None:
    loader = _loader(train_job(discs, tmp_path / "a", steps=30), 1)
    with pytest.raises(ResourceError, match="again and again"):
        _killed_at(loader, set(range(1, 30)))
    loader.close()


def test_what_is_wrong_with_an_image_is_said_in_one_line(discs: Path, tmp_path: Path) -> None:
    job = train_job(discs, tmp_path / "a")
    broken = job.train[0]
    next((discs / "images").glob(f"{broken.id}*")).write_bytes(b"no image")
    for workers in (0, 1):
        loader = _loader(job, workers)
        with pytest.raises(MaskmillError) as caught:
            list(loader.epoch(0))
        loader.close()
        assert broken.id in str(caught.value) and "Traceback" not in str(caught.value)


def _dying(job: TrainJob, stop: Any, tmp_path: Path) -> TrainingRun:
    """A training whose loader breaks after its second batch."""
    run = TrainingRun(job, job_context(tmp_path, stop))
    real = run.loader.epoch

    def epoch(number: int, start: int) -> Any:
        for position, batch in enumerate(real(number, start)):
            if position == 2:
                stop.signal_number = stop.armed
                raise ResourceError("a loader process has died")
            yield batch

    run.loader.epoch = epoch  # type: ignore[method-assign]
    return run


class Armed(StopAtStep):
    """Up as soon as somebody sets its number."""

    armed = 0

    def __bool__(self) -> bool:
        return self.signal_number != 0


def test_a_loader_that_breaks_under_a_stop_is_a_stop(discs: Path, tmp_path: Path) -> None:
    stop = Armed(0)
    job = train_job(discs, tmp_path / "a", steps=5)
    run = _dying(job, stop, tmp_path)
    with pytest.raises(ResourceError):
        run.train_epoch(0)
    stop.armed = 15
    run = _dying(job, stop, tmp_path)
    run.train_epoch(0)
    assert run.progress.step == 2
    with pytest.raises(InterruptedRunError):
        run.context.stop.check()


@pytest.mark.parametrize(
    ("error", "batch", "says"),
    [
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"), 4, "batch: 2"),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"), 4, "batch: 2"),
        (RuntimeError("CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate"), 1, "train.size"),
    ],
)
def test_memory_that_is_too_short_names_the_batch(
    discs: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    batch: int,
    says: str,
) -> None:
    def refuse(*_: Any) -> None:
        raise error

    monkeypatch.setattr(Learner, "learn", refuse)
    job = train_job(discs, tmp_path / "a", batch=batch, size=[64, 64])
    with pytest.raises(
        ResourceError, match=rf"a/fold0: out of memory with train\.batch: {batch}"
    ) as it:
        train_member(job, job_context(tmp_path))
    assert says in str(it.value)


def test_memory_that_is_really_refused_names_the_batch(discs: Path, tmp_path: Path) -> None:
    """A petabyte of activations: no machine has it, and none is touched."""
    job = train_job(discs, tmp_path / "a")
    run = TrainingRun.__init__

    def hungry(self: TrainingRun, *arguments: Any) -> None:
        run(self, *arguments)
        self.learner.plain.register_forward_pre_hook(lambda *_: torch.empty(2**50))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TrainingRun, "__init__", hungry)
        with pytest.raises(ResourceError, match=r"train\.batch: 4"):
            train_member(job, job_context(tmp_path))
