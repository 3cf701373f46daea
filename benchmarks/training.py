"""Training images a second, pipeline against a bare PyTorch loop on tensors already in memory.

    python -m benchmarks.training

The same model, batch and optimizer on one thread; rounds alternate, so that a slower moment of
the machine touches both. The pipeline reads, caches, augments, averages weights and clips.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch

from pipeline import open_run
from pipeline.config import ModelSpec, TrainConfig
from pipeline.config.losses import Bce, Dice
from pipeline.demo import DEMOS
from pipeline.execution.executor import JobContext
from pipeline.interruption import StopFlag
from pipeline.member_id import MemberId
from pipeline.models.factory import build_model
from pipeline.models.losses import weighted_loss
from pipeline.models.losses.truth import Truth
from pipeline.reporting import JobProgress
from pipeline.stages import train
from pipeline.training.loop import TrainingRun
from pipeline.training.optimizers import make_optimizer

ROUNDS, STEPS, BATCH, SIZE = 7, 10, 8, (128, 192)


def main() -> None:
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        run = _pipeline(Path(folder))
        bare = _BareLoop()
        run.train_epoch(0)  # warm-up, and the cache of decoded images
        bare.steps()
        ratios, rates = [], []
        for _ in range(ROUNDS):
            seconds = [_timed(lambda: _steps(run)), _timed(bare.steps)]
            rates.append(BATCH * STEPS / seconds[0])
            ratios.append(seconds[1] / seconds[0])
    print(
        f"training: {statistics.median(rates):.1f} images/s, {statistics.median(ratios):.3f} of a "
        f"bare loop (medians of {ROUNDS}; linknet18, batch {BATCH}, {SIZE[0]}×{SIZE[1]}, 1 thread)"
    )


def _timed(call: Callable[[], object]) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def _steps(run: TrainingRun) -> None:
    run.progress.step = 0
    run.train_epoch(0)


def _pipeline(folder: Path) -> TrainingRun:
    DEMOS["turntable"](folder / "data")
    run = open_run(
        {
            "name": "bench",
            "data": {
                "root": str(folder / "data"), "images": "train/{id}.jpg",
                "masks": "train_masks/{id}_mask.gif", "group": "^([0-9a-f]+)_", "classes": ["car"],
            },
            "folds": {"count": 2},
            "models": {"m": {"decoder": "linknet", "encoder": "resnet18", "weights": None}},
            "train": {"size": SIZE, "batch": BATCH, "steps": STEPS},
        },
        folder=folder, jobs=1, quiet=True,
    )  # fmt: skip
    job = train.list_jobs(run.context())[MemberId("m", 0)]
    return TrainingRun(job, JobContext("cpu", JobProgress(folder / "progress", "m"), StopFlag()))


class _BareLoop:
    """Forward, loss, backward, step; nothing else."""

    def __init__(self) -> None:
        spec = ModelSpec(decoder="linknet", encoder="resnet18", weights=None)
        self.network = build_model(spec, classes=1).train()
        self.optimizer = make_optimizer(self.network, TrainConfig())
        self.images = torch.rand(BATCH, 3, *SIZE)
        self.truth = (torch.rand(BATCH, 1, *SIZE) > 0.5).float()

    def steps(self) -> None:
        terms = (Bce(name="bce"), Dice(name="dice"))
        for _ in range(STEPS):
            truth = Truth(self.truth, torch.ones_like(self.truth), multiclass=False)
            loss = weighted_loss(terms, self.network(self.images), truth)
            torch.autograd.backward(loss)
            self.optimizer.step()
            self.optimizer.zero_grad(set_to_none=True)


if __name__ == "__main__":
    main()
