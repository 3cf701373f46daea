"""Training samples that look like test images: their values get the distribution of one.

Histogram matching, a band at a time: a value becomes that of the test image which as large a share
of the pixels lies below (Gonzalez & Woods, "Digital Image Processing", chapter 3). The drawn share
of the way is gone, from half of it on. References are left as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from pipeline.data.catalog import Sample
from pipeline.data.image_sources.source import Pixels
from pipeline.data.samples import SampleReader

MOST_IMAGES = 64
"""Test images that are looked at, each once a loader process."""
_MOST_PIXELS = 2**18
_LEVELS = (np.arange(256) + 0.5) / 256
_LEAST_WAY = 0.5


def looked_at(ids: Sequence[str]) -> list[str]:
    """At most `MOST_IMAGES` of the ids, evenly from all."""
    step = max(1, -(-len(ids) // MOST_IMAGES))
    return sorted(ids)[::step]


class LookMatching:
    """What images of a test part look like, for training samples to look alike."""

    def __init__(self, samples: Sequence[Sample], reader: SampleReader) -> None:
        self._samples = samples
        self._reader = reader
        self._quantiles: dict[int, NDArray[np.float32]] = {}

    def __call__(self, image: Pixels, random: np.random.Generator) -> Pixels:
        """HWC → the same with other values; no data (NaN) stays so."""
        wanted = self._wanted(int(random.integers(len(self._samples))))
        return matched(image, wanted, way=random.uniform(_LEAST_WAY, 1))

    def _wanted(self, number: int) -> NDArray[np.float32]:
        if number not in self._quantiles:
            image = self._reader.image(self._samples[number])[..., : self._channels]
            self._quantiles[number] = quantiles(image)
        return self._quantiles[number]

    @cached_property
    def _channels(self) -> int:
        return self._reader.source.channels


def quantiles(image: Pixels) -> NDArray[np.float32]:
    """C × 256 evenly spread quantiles of the valid values of each band; NaN for one without."""
    step = max(1, int(np.ceil(np.sqrt(image.shape[0] * image.shape[1] / _MOST_PIXELS))))
    flat = image[::step, ::step].reshape(-1, image.shape[2]).astype(np.float32)
    bands = [band[~np.isnan(band)] for band in flat.T]
    nothing = np.full(len(_LEVELS), np.nan)
    return np.stack(
        [np.quantile(band, _LEVELS) if band.size else nothing for band in bands]
    ).astype(np.float32)


def matched(image: Pixels, wanted: NDArray[np.float32], way: float) -> Pixels:
    """`way` of the way from the values of an image, HWC, to the distribution of `wanted`."""
    out = image.copy()
    for band in range(image.shape[2]):
        values = image[..., band]
        valid = ~np.isnan(values) if values.dtype.kind == "f" else np.ones(values.shape, bool)
        if not valid.any() or np.isnan(wanted[band]).any():
            continue
        seen, places, counts = np.unique(values[valid], return_inverse=True, return_counts=True)
        below = (np.cumsum(counts) - counts / 2) / counts.sum()
        target = np.interp(below, _LEVELS, wanted[band])
        mixed = seen + way * (target - seen)
        if values.dtype.kind != "f":
            mixed = np.rint(mixed)
        out[..., band][valid] = mixed.astype(values.dtype)[places]
    return out
