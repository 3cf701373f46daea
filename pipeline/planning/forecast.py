"""Forecasts bytes, files and time of each stage and model from a short measurement."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.config import ModelConfig
from pipeline.planning.measure import Measured
from pipeline.training.length import training_length


@dataclass(frozen=True)
class Line:
    """The work of one stage for one model (or for all): the total, and the part that is done."""

    stage: str
    what: str
    files: int
    size: int
    """Bytes when all is done."""
    present: int
    """Bytes that are already on the disk."""
    seconds: float
    """Seconds of the remaining work, on all devices together."""

    @property
    def needed(self) -> int:
        return max(0, self.size - self.present)


@dataclass(frozen=True)
class Work:
    """A number of images, and their pixels all together."""

    images: int
    pixels: int


def train_seconds(
    measured: Measured, model: ModelConfig, trained: int, held_out: Work, scores: int
) -> float:
    """One member from its first step to its last validation.

    trained: images it learns from; scores: how often `held_out` is scored, while images are read.
    """
    steps = training_length(trained, model.train).total
    validation = held_out.pixels * max(measured.plain_s, measured.decode_s)
    return steps * measured.step_s + scores * validation


def predict_seconds(measured: Measured, work: Work, members: int) -> float:
    """Maps averaged over so many members; decoding and writing go on at the same time."""
    compute = members * measured.predict_s
    return work.pixels * max(compute, measured.decode_s, measured.write_s)


def on_devices(seconds: list[float], devices: int) -> float:
    """Wall time of jobs that queue for devices: not less than the longest of them."""
    return max([sum(seconds) / devices, *seconds]) if seconds else 0.0
