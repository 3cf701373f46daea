"""Bands whose values differ between the parts: a common leak, or another scale."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from pipeline.checks.finding import Finding
from pipeline.config import DataConfig
from pipeline.data.inspection import Record

FEWEST = 5
"""Images of each part that can be compared."""
FAR = 4
"""Of the images' own spread: no difference between samples of one kind is as large."""


def shifted_bands(records: Sequence[Record], data: DataConfig) -> Iterator[Finding]:
    """A warning for every band whose means in train and in test lie apart."""
    if data.bands is None:
        return
    train, test = (_means(records, part, len(data.own_bands)) for part in ("train", "test"))
    for number, name in enumerate(data.own_bands):
        ours, theirs = (each[np.isfinite(each)] for each in (train[:, number], test[:, number]))
        if min(len(ours), len(theirs)) < FEWEST:
            continue
        apart = abs(float(np.median(theirs) - np.median(ours)))
        spread = max(_spread(ours), _spread(theirs))
        if apart > FAR * spread and apart > 1e-6 * abs(float(np.median(ours))):
            yield Finding(
                "warning",
                f"band {name}",
                f"its mean is {np.median(ours):.4g} in a typical training image and "
                f"{np.median(theirs):.4g} in a typical test image; see whether the files have the "
                "same unit and scale",
            )


def _means(records: Sequence[Record], part: str, count: int) -> NDArray[np.float64]:
    rows = [record.band_means for record in records if record.part == part]
    return np.array([row for row in rows if len(row) == count]).reshape(-1, count)


def _spread(values: NDArray[np.float64]) -> float:
    low, high = np.percentile(values, [25, 75])
    return float(high - low)
