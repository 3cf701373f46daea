"""Statistics of the bands of a member's training images; held-out and test images are not seen."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import DataError
from pipeline.execution.jobs import JobContext
from pipeline.inference.read_ahead import read_ahead
from pipeline.models.band_input import BandStatistics
from pipeline.training.dataset import TrainingSet
from pipeline.training.member import TrainJob

SAMPLED, FEWEST, TOGETHER = 4096, 64, 2**22
"""Pixels of an image, on an even grid, that percentiles are taken of: at most, at least (where
there are many images), and about those of all images together."""


NOT_SHOWN = BandStatistics(0, 1, 0, 1, {})
"""Of a band that the network does not see, and which may have no data at all."""


class RunningStatistics:
    """Of one band, image after image (Chan, Golub and LeVeque, 1979, for the deviation)."""

    def __init__(self, sampled: int = SAMPLED) -> None:
        """sampled: pixels of an image that percentiles are taken of; 0: no percentiles."""
        self._sampled = sampled
        self.count, self.mean, self.squares = 0, 0.0, 0.0
        self.lowest, self.highest = np.inf, -np.inf
        self.sampled: list[NDArray[np.float32]] = []

    def add(self, band: NDArray[np.float32]) -> None:
        """HW, NaN where there is no data."""
        values = band[~np.isnan(band)].astype(np.float64)
        if not values.size:
            return
        mean, count = float(values.mean()), self.count + values.size
        apart = mean - self.mean
        self.squares += float(np.square(values - mean).sum())
        self.squares += apart**2 * self.count * values.size / count
        self.mean += apart * values.size / count
        self.count = count
        self.lowest = min(self.lowest, float(values.min()))
        self.highest = max(self.highest, float(values.max()))
        if self._sampled:
            step = max(1, round((band.size / self._sampled) ** 0.5))
            grid = band[::step, ::step]
            self.sampled.append(grid[~np.isnan(grid)])

    def finish(self, name: str, percentages: Sequence[float]) -> BandStatistics:
        """DataError where no image has data."""
        if not self.count:
            raise DataError(f"band {name} has no data in any training image; leave it out")
        found: list[float] = []
        if percentages:
            found = np.percentile(np.concatenate(self.sampled), list(percentages)).tolist()
        percentiles = dict(zip(percentages, found, strict=True))
        deviation = (self.squares / self.count) ** 0.5
        return BandStatistics(self.mean, deviation, self.lowest, self.highest, percentiles)


def measured_bands(
    job: TrainJob, data: TrainingSet, context: JobContext
) -> list[BandStatistics] | None:
    """Of every band of the images that a member learns from; None where no rule asks for them.

    Raises DataError for a file that cannot be read and InterruptedRunError after a signal.
    """
    shown = job.reader.channels_for(job.model.input).shown or ()
    rules = [band.rule for band in shown]
    if not any(rule.is_measured for rule in rules):
        return None
    percentages = sorted(
        {each for rule in rules if rule.name == "percentile" for each in rule.numbers}
    )
    names = job.reader.source.bands
    sampled = min(SAMPLED, max(FEWEST, TOGETHER // len(job.train))) if percentages else 0
    running = [RunningStatistics(sampled) for _ in names]
    for done, (_, (decoded,)) in enumerate(read_ahead(job.train, data.decoded, 1, context.cores)):
        context.stop.check()
        context.progress.update(done, len(job.train), "statistics of the bands")
        for number, statistics in enumerate(running):
            statistics.add(decoded.image[..., number].astype(np.float32))
    needed = {band.number for band in shown}
    return [
        each.finish(name, percentages) if number in needed else NOT_SHOWN
        for number, (each, name) in enumerate(zip(running, names, strict=True))
    ]
