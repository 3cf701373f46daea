"""Trains one member: a model on all folds but one.

Kill it anywhere and run it again: it goes on from its last saved state and, on a CPU, ends with
the bytes that an unbroken run ends with.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from pipeline.atomic_files import write_atomic
from pipeline.cores import loader_workers
from pipeline.errors import TrainingError
from pipeline.execution.executor import JobContext
from pipeline.inference.precision import plain_float32, resolve
from pipeline.manifests import write_manifest
from pipeline.metrics import metric_of
from pipeline.models.checkpoint import save_weights
from pipeline.models.factory import build_model
from pipeline.models.losses import weighted_loss
from pipeline.training.dataset import TrainingSet, steps_an_epoch
from pipeline.training.decoded import cache_of
from pipeline.training.ema import MovingAverage
from pipeline.training.epoch_notes import EpochNotes
from pipeline.training.loader import Batch, EpochLoader
from pipeline.training.member import TrainJob
from pipeline.training.optimizers import make_optimizer
from pipeline.training.out_of_memory import naming_the_batch
from pipeline.training.resume_state import (
    Progress,
    load_state,
    random_state,
    restore_random_state,
    save_state,
)
from pipeline.training.schedules import learning_rate
from pipeline.training.setup import computing_with, make_fabric, seed_everything
from pipeline.training.validation import validation_score

LOOK_EVERY = {"cpu": 1, "cuda": 25}  # steps between looks at the loss; a look waits for the GPU


def train_member(job: TrainJob, context: JobContext) -> None:
    """Train `job` to the end and declare it finished.

    Raises TrainingError on a loss that is not finite, ResourceError when memory is too short,
    InterruptedRunError after a signal, with everything saved.
    """
    settings = job.model.train
    naming = naming_the_batch(job.name, settings, context.device)
    with naming, computing_with(settings.threads):
        run = TrainingRun(job, context)
        try:
            for epoch in range(run.epoch, settings.epochs):
                run.train_epoch(epoch)
                run.save()  # before validation, which takes time, too
                context.stop.check()
                run.finish_epoch(epoch)
            run.finish()
        finally:
            run.loader.close()


class TrainingRun:
    """The things that live as long as a training: networks, optimizer, progress."""

    def __init__(self, job: TrainJob, context: JobContext) -> None:
        self.job, self.context, self.settings = job, context, job.model.train
        self.device = torch.device(context.device)
        workers, pin = self._workers(), self.device.type == "cuda"
        shown = job.model.input
        cache = cache_of(self.settings.cache, job.decoded, job.reader, shown, max(1, workers))
        data = TrainingSet(job.train, job.reader, self.settings, shown, cache)
        self.loader = EpochLoader(data, self.settings, workers, pin)
        self.steps = steps_an_epoch(len(job.train), self.settings)
        self.total = self.steps * self.settings.epochs
        self.precision = resolve(self.settings.precision, context.device)
        self.fabric = make_fabric(self.precision, context.device)
        seed_everything(self.settings.seed)
        network = build_model(
            job.model.network, classes=len(job.classes), in_channels=job.reader.channels
        ).to(self.device)
        if self.device.type == "cuda":
            network = network.to(memory_format=torch.channels_last)
        self.average = MovingAverage(network, self.settings.ema) if self.settings.ema else None
        self.plain = network
        # Fabric's wrapper keeps a copy of param_groups that a restored state does not reach
        self.rates = make_optimizer(network, self.settings)
        self.network, self.optimizer = self.fabric.setup(network, self.rates)
        self.progress = Progress()
        self._saved_at = time.monotonic()
        self._resume()
        self.notes = EpochNotes(
            metric_of(job.metric).name, self.settings.epochs, self.total, self.progress.step
        )

    @property
    def epoch(self) -> int:
        """How many epochs are over, validation and all."""
        return len(self.progress.history)

    def train_epoch(self, epoch: int) -> None:
        """Make the steps that `epoch` lacks, or as many as there is time for before a stop."""
        self.network.train()
        start = self.progress.step - epoch * self.steps
        losses: list[Tensor] = []
        for batch in self._until_stopped(self.loader.epoch(epoch, start)):
            with plain_float32(self.precision):
                losses.append(self._step(*batch))
            if len(losses) >= LOOK_EVERY[self.device.type]:
                self._look(losses)
            self._tell(epoch)
            if self._save_is_due():
                self._look(losses)
                self.save()
        self._look(losses)

    def _until_stopped(self, batches: Iterator[Batch]) -> Iterator[Batch]:
        """`batches` until a stop is asked for; a loader that breaks just then ends them, too."""
        try:
            for batch in batches:
                yield batch
                if self.context.stop:
                    return
        except Exception:  # of the loader alone: a generator does not see its reader's
            if not self.context.stop:
                raise

    def _save_is_due(self) -> bool:
        return time.monotonic() - self._saved_at >= 60 * self.settings.save_minutes

    def _step(self, images: Tensor, planes: Tensor, valid: Tensor) -> Tensor:
        for group in self.rates.param_groups:
            group["lr"] = learning_rate(self.progress.step, self.total, self.settings)
        inputs = images.to(self.device, non_blocking=True).float()
        inputs.div_(self.job.reader.source.scale)
        truth = planes.to(self.device, non_blocking=True).float()
        counted = valid.to(self.device, non_blocking=True).float()
        loss = self._loss(self.network(inputs), truth, counted)
        self.fabric.backward(loss)
        if self.settings.clip:
            self.fabric.clip_gradients(
                self.network, self.optimizer, max_norm=self.settings.clip, error_if_nonfinite=False
            )
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.progress.step += 1
        if self.average:
            self.average.update(self.plain, self.progress.step)
        return loss.detach()

    def _loss(self, output: Tensor | tuple[Tensor, Tensor], truth: Tensor, valid: Tensor) -> Tensor:
        def loss(logits: Tensor) -> Tensor:
            return weighted_loss(self.job.losses, logits, truth, valid, self.job.multiclass)

        if isinstance(output, Tensor):
            return loss(output)
        logits, auxiliary = output
        return loss(logits) + self.plain.auxiliary_weight * loss(auxiliary)

    def _look(self, losses: list[Tensor]) -> None:
        """Add up the losses since the last look; TrainingError at the first that is not finite."""
        values = torch.stack(losses).tolist() if losses else []
        first = self.progress.step - len(values) + 1
        for step, value in enumerate(values, start=first):
            if not np.isfinite(value):
                raise TrainingError(
                    f"{self.job.name}: the loss is {value} at step {step} of {self.total}; lower "
                    "train.lr, or set train.precision: fp32. It is not counted as trained."
                )
            self.progress.loss_sum += value
        losses.clear()

    def finish_epoch(self, epoch: int) -> None:
        """Validate, write history and state.

        The score is for people to look at. Nothing is chosen by it: an epoch chosen on the fold
        that is scored afterwards would make that score better than the network is.
        """
        progress = self.progress
        score = validation_score(self.job, self._judged(), self.context)
        row = {
            "epoch": epoch + 1,
            "loss": progress.loss_sum / self.steps,
            "score": score,
            "lr": learning_rate(progress.step - 1, self.total, self.settings),
        }
        progress.history.append(row)
        progress.loss_sum = 0.0
        history = pd.DataFrame(progress.history).astype({"epoch": int})
        write_atomic(self.job.paths.history, history.to_csv(index=False))
        self.context.progress.milestone(self.notes.over(row, progress.step))
        self.save()
        self.context.stop.check()

    def finish(self) -> None:
        """Write the last weights and the manifest that says the member is trained."""
        files = [self._save_weights(self.plain, "plain")]
        if self.average:
            files.append(self._save_weights(self.average.network, "ema"))
        paths = self.job.paths
        write_manifest(
            paths.manifest,
            self.job.fingerprint,
            [*files, paths.history],
            made_from=dict(self.job.made_from),
            history=paths.history.read_text(),
            weights="ema" if self.average else "plain",
            score=self.progress.history[-1]["score"],
        )
        paths.state.unlink(missing_ok=True)

    def _judged(self) -> nn.Module:
        """The network that is validated and predicts: the moving average where there is one."""
        return self.average.network if self.average else self.plain

    def _save_weights(self, network: nn.Module, kind: Literal["ema", "plain"]) -> Path:
        path = self.job.paths.weights(kind)
        save_weights(path, network, member=self.job.name, step=self.progress.step, weights=kind)
        return path

    def save(self) -> None:
        """Write everything that the training needs to go on from here."""
        average = self.average.network.state_dict() if self.average else {}
        content = {
            "network": self.plain.state_dict(),
            "average": average,
            "optimizer": self.optimizer.state_dict(),
            "progress": asdict(self.progress),
            "random": random_state(self.device),
            "scaler": self.fabric.strategy.precision.state_dict(),
        }
        save_state(self.job.paths.state, self.job.fingerprint, content)
        self._saved_at = time.monotonic()

    def _resume(self) -> None:
        state = load_state(self.job.paths.state, self.job.fingerprint)
        if state is None:
            return
        self.plain.load_state_dict(state["network"])
        if self.average:
            self.average.network.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.progress = Progress(**state["progress"])
        if state["scaler"]:
            self.fabric.strategy.precision.load_state_dict(state["scaler"])
        restore_random_state(state["random"], self.device)

    def _workers(self) -> int:
        if self.settings.workers != "auto":
            return self.settings.workers
        # a CPU's cores all compute
        return loader_workers(self.context.cores) if self.device.type == "cuda" else 0

    def _tell(self, epoch: int) -> None:
        history = self.progress.history
        note = self.notes.running(epoch + 1, history[-1] if history else None)
        self.context.progress.update(self.progress.step, self.total, note)
