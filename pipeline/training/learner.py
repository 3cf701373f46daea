"""What learns in a training, and a step of it: network, average, optimizer and their state."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor, nn

from pipeline.data.ground_truth import CERTAIN
from pipeline.inference.precision import plain_float32, resolve
from pipeline.models.band_input import BandStatistics
from pipeline.models.factory import add_outputs, build_model
from pipeline.models.losses import weighted_loss
from pipeline.models.losses.truth import Truth
from pipeline.models.segmentation import Trained
from pipeline.training.accumulation import valid_shares
from pipeline.training.auxiliary.sums import AuxiliaryLosses, Shares
from pipeline.training.average import WeightMean, measuring
from pipeline.training.checkpointing import checkpoint_encoder
from pipeline.training.dataset import Batch
from pipeline.training.device_colour import change_colours
from pipeline.training.drop_path import drop_paths
from pipeline.training.ema import MovingAverage
from pipeline.training.freezing import Freezing
from pipeline.training.member import TrainJob
from pipeline.training.mixing import planes_are_soft
from pipeline.training.optimizers import make_optimizer
from pipeline.training.parts import batch_norms, is_of_encoder
from pipeline.training.resume_state import Progress, random_state, restore_random_state
from pipeline.training.schedules import learning_rate
from pipeline.training.setup import make_fabric, seed_everything
from pipeline.training.upload import uploader


class Learner:
    """The networks of a member on a device, and the optimizer that changes them.

    plain: the network; average: its moving average, where there is one; mean: that of the last
    epochs, where it is wanted; total: optimizer steps of the stage.
    """

    def __init__(
        self,
        job: TrainJob,
        device: str,
        total: int,
        statistics: Sequence[BandStatistics] | None = None,
    ) -> None:
        """statistics: of all bands of an image, where the network normalises by them."""
        self.job, self.settings, self.total = job, job.model.train, total
        self.device = torch.device(device)
        self._upload = uploader(self.device)
        self.precision = resolve(self.settings.precision, device)
        self.fabric = make_fabric(self.precision, device)
        seed_everything(self.settings.seed)
        network = build_model(
            job.model.architecture,
            classes=len(job.classes),
            channels=job.reader.channels_for(job.model.input),
        )
        if statistics is not None and network.bands is not None:
            network.bands.measured(statistics)
        add_outputs(network, job.model, len(job.classes), [each.facts for each in job.columns])
        self.auxiliary = AuxiliaryLosses(job.model.auxiliary, self.device)
        network = network.to(self.device)
        if self.device.type == "cuda":
            network = network.to(memory_format=torch.channels_last)
        self.average = MovingAverage(network, self.settings.ema) if self.settings.ema else None
        last = self.settings.average.last
        self.mean = WeightMean(network, last) if last else None
        model = job.name.partition("/")[0]
        if self.settings.drop_path:
            drop_paths(model, network, self.settings.drop_path, job.place.key)
        if self.settings.checkpointing:
            checkpoint_encoder(model, network, job.place.key)
        self.plain = network
        # Fabric's wrapper keeps a copy of param_groups that a restored state does not reach
        self.rates = make_optimizer(network, self.settings)
        self.network, self.optimizer = self.fabric.setup(network, self.rates)
        self._freezing = Freezing(network, self.settings.freeze)

    @property
    def judged(self) -> nn.Module:
        """The network that is validated and predicts: the mean of the last epochs when it is
        complete, else the moving average where there is one."""
        if self.mean and self.mean.is_complete:
            return self.mean.network
        return self.average.network if self.average else self.plain

    def learn(self, batches: Sequence[Batch], step: int) -> Tensor:
        """Make the optimizer step that follows `step` others; its loss, on the device."""
        self._freezing.before(step)
        for group in self.rates.param_groups:
            rate = learning_rate(step, self.total, self.settings)
            group["lr"] = rate * group.get("factor", 1.0)  # states of earlier versions have none
        with plain_float32(self.precision):
            losses = []
            shares = zip(valid_shares(batches), self.auxiliary.shares(batches), strict=True)
            for batch, (share, known) in zip(batches, shares, strict=True):
                loss = self._loss(batch, share, known)
                self.fabric.backward(loss)
                losses.append(loss.detach())
            if self.settings.clip:
                self.fabric.clip_gradients(
                    self.network,
                    self.optimizer,
                    max_norm=self.settings.clip,
                    error_if_nonfinite=False,
                )
            self.optimizer.step()
            self.optimizer.zero_grad(set_to_none=True)
            if self.average:
                self.average.update(self.plain, self.job.place.steps + step + 1)
        return torch.stack(losses).sum()

    def add_to_mean(self, batches: Iterable[Batch]) -> None:
        """Add the network to the mean; when it is complete, measure its running statistics anew.

        batches: crops as in training; of those that stayed frozen, statistics stay, too.
        """
        assert self.mean
        self.mean.add(self.average.network if self.average else self.plain)
        freeze, network = self.settings.freeze, self.mean.network
        kept = freeze.encoder is True or freeze.norms is True
        norms = [norm for name, norm in batch_norms(network) if not (kept and is_of_encoder(name))]
        if not self.mean.is_complete or not norms:
            return
        with plain_float32(self.precision), self.fabric.autocast(), measuring(network, norms):
            for batch in batches:
                network(self._inputs(batch))

    def _inputs(self, batch: Batch) -> Tensor:
        images = self._upload(batch.images)
        if self.settings.augment.colour_on == "device":
            images = change_colours(images, batch.colour)
        return images.float().div_(self.job.reader.source.scale)

    def _loss(self, batch: Batch, share: float, known: Shares) -> Tensor:
        """share: of the step's valid pixels; known: of what auxiliary outputs know."""
        inputs = self._inputs(batch)
        planes = self._upload(batch.planes).float()
        if planes_are_soft(self.job.reader.data, self.settings.augment):
            planes /= CERTAIN
        counted = self._upload(batch.valid).float()
        truth = Truth(planes, counted, self.job.multiclass)

        def loss(logits: Tensor, truth: Truth = truth) -> Tensor:
            return weighted_loss(self.job.losses, logits, truth)

        output = self.network(inputs)
        if isinstance(output, Tensor):
            return loss(output) * share
        logits, auxiliary = output[:2]
        whole = loss(logits)
        for each in output.scales if isinstance(output, Trained) else ():
            whole = whole + loss(each)
        if auxiliary is not None:
            whole = whole + self.plain.auxiliary_weight * loss(auxiliary)
        whole = whole * share
        if isinstance(output, Trained) and output.outputs:
            targets = {label: self._upload(each) for label, each in batch.targets.items()}
            whole = whole + self.auxiliary.add(output.outputs, targets, truth, loss, known)
        return whole

    def state(self, progress: Progress) -> dict[str, Any]:
        """Everything that the training needs to go on from here."""
        return {
            "network": self.plain.state_dict(),
            "average": self.average.network.state_dict() if self.average else {},
            "mean": self.mean.state() if self.mean else {},
            "optimizer": self.optimizer.state_dict(),
            "progress": asdict(progress),
            "random": random_state(self.device),
            "scaler": self.fabric.strategy.precision.state_dict(),
            "auxiliary": self.auxiliary.state(),
        }

    def restore(self, state: dict[str, Any]) -> Progress:
        """Be as when `state` was taken; the progress of that time.

        Of an earlier stage's state the networks alone are taken: all else begins anew.
        """
        self.plain.load_state_dict(state["network"])
        if self.average:
            self.average.network.load_state_dict(state["average"])
        progress, stage = Progress(**state["progress"]), self.job.place.number
        if progress.stage < stage:
            return Progress(stage=stage, history=progress.history)
        if self.mean:
            self.mean.restore(state["mean"])
        self.optimizer.load_state_dict(state["optimizer"])
        if state["scaler"]:
            self.fabric.strategy.precision.load_state_dict(state["scaler"])
        if "auxiliary" in state:  # states of earlier versions have none
            self.auxiliary.restore(state["auxiliary"])
        restore_random_state(state["random"], self.device)
        return progress
