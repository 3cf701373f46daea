"""A metric: statistics of each image, and a score that is computed from all of them.

Per-image statistics are small integer tables, so that a search or a bootstrap can score thousands
of choices and resamples of images without looking at a pixel twice.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from pipeline.data.ground_truth import Truth
from pipeline.metrics.counts import Amounts, counts

Decision = NDArray[np.bool_] | NDArray[np.int32]
ImageStatistics = NDArray[np.int64]
"""The statistics of one image, or of several along the first axes."""
Measure = Callable[[Decision, Truth], ImageStatistics]
Score = Callable[..., NDArray[np.float64]]  # of statistics and, by keyword, options


class Metric(Protocol):
    """A competition's score; higher is better, 0..1, always finite."""

    @property
    def name(self) -> str:
        """The name in the registry."""

    @property
    def from_counts(self) -> bool:
        """True if `measure` is exactly `counts`: (C, 4) of tp, fp, fn, tn over valid pixels."""

    def measure(self, decision: Decision, truth: Truth) -> ImageStatistics:
        """The per-image statistics: int64, the same shape for all images.

        decision: bool CHW; metrics of objects also take int32 CHW, 0 = none, 1.. = object.
        """

    def aggregate(self, statistics: ImageStatistics) -> NDArray[np.float64]:
        """The score over images, statistics (..., images, *shape of one) -> (...)."""

    def per_image(self, statistics: ImageStatistics) -> NDArray[np.float64]:
        """The score that each image has alone, (..., images, *shape of one) -> (..., images)."""

    def addends(self, statistics: ImageStatistics) -> Amounts:
        """Addends over images, these first: (..., images, *shape of one) -> (images, ...)."""

    def of_sums(self, sums: Amounts, images: NDArray[np.int64]) -> NDArray[np.float64]:
        """The scores of sums (N, ...) of addends, each of so many images (N,): (N, ...)."""


@dataclass(frozen=True)
class MeanOfImages:
    """The mean over images of the score that each image has alone.

    score: statistics (..., *shape of one) -> (...).
    """

    name: str
    measure: Measure
    score: Score

    @property
    def from_counts(self) -> bool:
        return self.measure is counts

    def aggregate(self, statistics: ImageStatistics) -> NDArray[np.float64]:
        scores = self.per_image(statistics)
        assert scores.shape[-1], "a score of no images"
        return np.asarray(scores.mean(axis=-1))

    def per_image(self, statistics: ImageStatistics) -> NDArray[np.float64]:
        return _finite(self.score(statistics))

    def addends(self, statistics: ImageStatistics) -> Amounts:
        return np.moveaxis(self.per_image(statistics), -1, 0)

    def of_sums(self, sums: Amounts, images: NDArray[np.int64]) -> NDArray[np.float64]:
        return np.asarray((sums.T / images).T)


@dataclass(frozen=True)
class Pooled:
    """The score of all images' statistics added up, as if they were one large image.

    measure: of two dimensions; score: statistics (..., rows, columns) -> (...).
    """

    name: str
    measure: Measure
    score: Score

    @property
    def from_counts(self) -> bool:
        return self.measure is counts

    def aggregate(self, statistics: ImageStatistics) -> NDArray[np.float64]:
        assert statistics.shape[-3], "a score of no images"
        return self.per_image(statistics.sum(axis=-3))

    def per_image(self, statistics: ImageStatistics) -> NDArray[np.float64]:
        return _finite(self.score(statistics))

    def addends(self, statistics: ImageStatistics) -> Amounts:
        return np.moveaxis(statistics, -3, 0)

    def of_sums(self, sums: Amounts, images: NDArray[np.int64]) -> NDArray[np.float64]:
        return _finite(self.score(sums))


def _finite(scores: Any) -> NDArray[np.float64]:
    """A score as an array; NaN is an error of the program, not of the data."""
    values = np.asarray(scores, np.float64)
    assert np.isfinite(values).all(), "a metric gave a score that is not finite"
    return values
