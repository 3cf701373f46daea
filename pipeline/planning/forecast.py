"""From a measurement and what there is to do: bytes, files and time, a line a stage and model."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.config import ModelConfig
from pipeline.planning.measure import Measured
from pipeline.training.dataset import steps_an_epoch


@dataclass(frozen=True)
class Line:
    """What one stage does for one model (or for all): all of it, and what of it is there."""

    stage: str
    what: str
    files: int
    size: int
    """Bytes when all is done."""
    present: int
    """Bytes of it that are on the disk already."""
    seconds: float
    """Of what is still to be done, on all devices together."""

    @property
    def needed(self) -> int:
        return max(0, self.size - self.present)


@dataclass(frozen=True)
class Work:
    """A number of images, and their pixels all together."""

    images: int
    pixels: int


def train_seconds(measured: Measured, model: ModelConfig, trained: int, held_out: Work) -> float:
    """One member from its first step to its last validation; trained: images it learns from."""
    steps = steps_an_epoch(trained, model.train)
    validation = held_out.pixels * (measured.plain_s + measured.decode_s)
    return model.train.epochs * (steps * measured.step_s + validation)


def predict_seconds(measured: Measured, work: Work, members: int) -> float:
    """Maps averaged over so many members; decoding and writing go on at the same time."""
    compute = members * measured.predict_s
    return work.pixels * max(compute, measured.decode_s, measured.write_s)


def on_devices(seconds: list[float], devices: int) -> float:
    """Wall time of jobs that queue for devices: not less than the longest of them."""
    return max([sum(seconds) / devices, *seconds]) if seconds else 0.0
