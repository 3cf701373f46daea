"""Forecasts bytes, files and time of each stage and model from a short measurement."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.planning.measure import Measured


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


def train_seconds(measured: Measured, steps: Sequence[int], scores: int, held_out: Work) -> float:
    """One member from its first step to its last validation.

    steps: of each stage; scores: how often `held_out` is scored, while images are read.
    """
    validation = held_out.pixels * max(measured.plain_s, measured.decode_s)
    learning = sum(count * step_s for count, step_s in zip(steps, measured.steps_s, strict=True))
    return learning + scores * validation


def predict_seconds(measured: Measured, work: Work, members: int) -> float:
    """Maps averaged over so many members; decoding and writing go on at the same time."""
    compute = members * measured.predict_s
    return work.pixels * max(compute, measured.decode_s, measured.write_s)


def on_devices(seconds: list[float], devices: int) -> float:
    """Wall time of jobs that queue for devices: not less than the longest of them."""
    return max([sum(seconds) / devices, *seconds]) if seconds else 0.0
