"""Trains a stage of a member (all of it where it has no others): epochs of steps, and their scores.

Kill it anywhere and run it again: it continues from its last saved state and, on a CPU, ends with
the bytes that an unbroken run ends with.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from itertools import islice

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from pipeline.atomic_files import write_atomic
from pipeline.cores import loader_workers
from pipeline.data.decoded import cache_of
from pipeline.errors import TrainingError
from pipeline.execution.executor import JobContext
from pipeline.metrics import metric_of
from pipeline.training.accumulation import grouped
from pipeline.training.average import MOST_BATCHES
from pipeline.training.band_statistics import measured_bands
from pipeline.training.dataset import Batch, TrainingSet
from pipeline.training.epoch_notes import EpochNotes
from pipeline.training.learner import Learner
from pipeline.training.loader import EpochLoader
from pipeline.training.loader_wait import timed
from pipeline.training.member import TrainJob
from pipeline.training.projection import StepTimer
from pipeline.training.resume_state import Progress, load_state, save_state
from pipeline.training.schedules import learning_rate
from pipeline.training.validation import validation_score

LOOK_EVERY = {"cpu": 1, "cuda": 25}  # steps between looks at the loss; a look waits for the GPU


class TrainingRun:
    """The things that live as long as a stage: what learns, its batches, its progress.

    job: of the stage alone; it goes on where the state on the disk says, or begins with the weights
    of the stage before it.
    """

    def __init__(self, job: TrainJob, context: JobContext) -> None:
        self.job, self.context, self.settings = job, context, job.model.train
        self.device_type = torch.device(context.device).type
        workers, pin = self._workers(), self.device_type == "cuda"
        shown = job.model.input
        cache = cache_of(self.settings.cache, job.decoded, job.reader, shown, max(1, workers))
        data = TrainingSet(
            job.train, job.reader, self.settings, shown, cache, job.facts, job.aims, job.test
        )
        self.loader = EpochLoader(data, self.settings, workers, pin, self._warn)
        self.length, self.place = job.length, job.place
        self.total = self.length.total
        state = load_state(job.paths.state, job.fingerprint)
        statistics = None if state is not None else measured_bands(job, data, context)
        self.learner = Learner(job, context.device, self.total, statistics)
        self.progress = Progress() if state is None else self.learner.restore(state)
        self._saved_at = time.monotonic()
        self._timer = StepTimer(job.projection)
        epochs = self.place.epochs + self.length.epochs + self.place.epochs_after
        self.notes = EpochNotes(
            metric_of(job.metric).name, epochs, self.total, self.progress.step, self.place.name
        )

    @property
    def epoch(self) -> int:
        """How many epochs of the stage are over, validation and all."""
        return len(self.progress.history) - self.place.epochs

    def train_epoch(self, epoch: int) -> None:
        """Make the steps that `epoch` lacks, or as many as there is time for before a stop."""
        self.learner.network.train()
        start = self.progress.step - self.length.first_step(epoch)
        losses: list[Tensor] = []
        batches = timed(self.loader.epoch(epoch, start), self.progress, self.learner.device)
        for step in self._until_stopped(grouped(batches, self.settings.accumulate)):
            losses.append(self.learner.learn(step, self.progress.step))
            self.progress.step += 1
            if len(losses) >= LOOK_EVERY[self.device_type]:
                self._look(losses)
            self._tell(epoch)
            if self._save_is_due():
                self._look(losses)
                self.save()
        self._look(losses)

    def _until_stopped(self, steps: Iterator[list[Batch]]) -> Iterator[Sequence[Batch]]:
        """`steps` until a stop is asked for; a loader that breaks just then ends them, too."""
        try:
            for step in steps:
                yield step
                if self.context.stop:
                    return
        except Exception:  # of the loader alone: a generator does not see its reader's
            if not self.context.stop:
                raise

    def _save_is_due(self) -> bool:
        return time.monotonic() - self._saved_at >= 60 * self.settings.save_minutes

    def _look(self, losses: list[Tensor]) -> None:
        """Add up the losses since the last look; TrainingError at the first that is not finite."""
        values = torch.stack(losses).tolist() if losses else []
        first = self.progress.step - len(values) + 1
        for step, value in enumerate(values, start=first):
            if not np.isfinite(value):
                raise TrainingError(
                    f"{self.job.name}: the loss is {value} at step {step} of {self._whole}; lower "
                    f"{self.place.key}.lr, or set train.precision: fp32. It is not counted as "
                    "trained."
                )
            self.progress.loss_sum += value
        losses.clear()

    def finish_epoch(self, epoch: int) -> None:
        """Validate where it is time to, write history and state.

        Scores are for people to look at. Nothing is chosen by it: an epoch chosen on the fold
        that is scored afterwards would make that score better than the network is.
        """
        progress, score = self.progress, math.nan
        self._average(epoch)
        if epoch in self.job.validated:
            score = validation_score(self.job, self.learner.judged, self.context)
        row = {
            "epoch": self.place.epochs + epoch + 1,
            "loss": progress.loss_sum / self.length.steps_of(epoch),
            "score": score,
            "lr": learning_rate(progress.step - 1, self.total, self.settings),
            "waiting": round(progress.waiting_s / max(progress.training_s, 1e-9), 2),
            **self.learner.auxiliary.means(self.length.steps_of(epoch)),
        }
        progress.history.append(row)
        progress.loss_sum = progress.training_s = progress.waiting_s = 0.0
        history = pd.DataFrame(progress.history).astype({"epoch": int})
        write_atomic(self.job.paths.history, history.to_csv(index=False))
        self.context.progress.milestone(self.notes.over(row, progress.step))
        self.save()
        self.context.stop.check()

    def _average(self, epoch: int) -> None:
        """Add the weights to the mean of the last epochs, where this is one of them."""
        epochs, last = self.length.epochs, self.settings.average.last
        if last is not None and epoch >= epochs - last:
            crops = self.loader.epoch(epochs)  # which no epoch has seen
            self.learner.add_to_mean(islice(crops, MOST_BATCHES))

    def save(self) -> None:
        """Write everything that the training needs to go on from here."""
        content = self.learner.state(self.progress)
        save_state(self.job.paths.state, self.job.fingerprint, content)
        self._saved_at = time.monotonic()

    def _workers(self) -> int:
        if self.settings.workers != "auto":
            return self.settings.workers
        # a CPU's cores all compute
        return loader_workers(self.context.cores) if self.device_type == "cuda" else 0

    def _warn(self, text: str) -> None:
        self.context.progress.milestone(f"{text} at step {self.progress.step} of {self._whole}")

    @property
    def _whole(self) -> str:
        """Of how many steps, for people."""
        return f"{self.total}" + (f" of {self.place.name}" if self.place.name else "")

    def _tell(self, epoch: int) -> None:
        history = self.progress.history
        number = self.place.epochs + epoch + 1
        note = self.notes.running(number, history[-1] if history else None)
        self.context.progress.update(self.progress.step, self.total, note)
        projected = self._timer.step(self.total - self.progress.step)
        if projected is not None:
            self.context.progress.milestone(projected)
