"""Random changes of a crop's values: colour of photographs, intensity of each band."""

from __future__ import annotations

import os

os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # its import must not look at the network

import random as python_random
from typing import Any, Protocol

import albumentations as A
import numpy as np
from numpy.typing import NDArray

from pipeline.config import AugmentConfig
from pipeline.data.image_sources.source import ImageSource, Pixels
from pipeline.training.drawn_colour import UNCHANGED, Drawn, DrawnJitter


class ValueChange(Protocol):
    """Changes values of one image after the other; all draws come from what `begin` gives."""

    def begin(self, random: np.random.Generator) -> None: ...

    def __call__(self, image: Pixels) -> tuple[Pixels, Drawn]:
        """HWC → the changed one, and what is still to be done on the device."""
        ...


def value_change(settings: AugmentConfig, source: ImageSource) -> ValueChange:
    """The change that suits the images of a source."""
    is_colour = source.dtype == np.uint8
    return ColourChange(settings) if is_colour else BandChange(settings, source.blank)


class ColourChange:
    """Brightness, contrast, saturation and hue of 8-bit RGB."""

    def __init__(self, settings: AugmentConfig) -> None:
        strength = settings.strength
        kind = DrawnJitter if settings.colour_on == "device" else A.ColorJitter
        self._jitter = kind(
            brightness=(1 - strength, 1 + strength),
            contrast=(1 - strength, 1 + strength),
            saturation=(1 - strength, 1 + strength),
            hue=(-strength / 5, strength / 5),
            p=settings.colour,
        )
        self._colour = A.Compose([self._jitter])

    def begin(self, random: np.random.Generator) -> None:
        # one stream for all transforms: generators of one seed would all draw the same numbers
        seeded = python_random.Random(int(random.integers(2**63)))
        self._colour.set_random_state(random, seeded)

    def __call__(self, image: Pixels) -> tuple[Pixels, Drawn]:
        if isinstance(self._jitter, DrawnJitter):
            self._jitter.drawn = UNCHANGED
            self._colour(image=image)
            return image, self._jitter.drawn
        return self._colour(image=image)["image"], UNCHANGED


class BandChange:
    """Brightness, contrast, gamma and noise of each band by itself, and bands that drop out.

    All are relative to the mean, deviation and range of the band in the crop, since nothing is
    known of its units. Pixels without data (NaN) stay so. blank: the value of one that drops out.
    """

    def __init__(self, settings: AugmentConfig, blank: float = float("nan")) -> None:
        self._settings, self._blank = settings, blank
        self._random = np.random.default_rng(0)

    def begin(self, random: np.random.Generator) -> None:
        self._random = random

    def __call__(self, image: Pixels) -> tuple[Pixels, Drawn]:
        random, settings = self._random, self._settings
        changes, drops = random.random(2) < (settings.colour, settings.band_drop)
        draws = random.uniform(-1, 1, (image.shape[2], 4)) * settings.strength
        dropped = int(random.integers(image.shape[2]))
        if changes:
            planes = [
                self._changed(image[..., number], *draws[number]) for number in range(len(draws))
            ]
            image = _as_type(np.stack(planes, axis=2), image.dtype)
        if drops:
            image = image.copy()
            image[..., dropped] = self._blank
        return image, UNCHANGED

    def _changed(
        self, band: Pixels, brightness: float, contrast: float, gamma: float, noise: float
    ) -> NDArray[np.float32]:
        there = band[~np.isnan(band)]
        if not there.size or there.min() == there.max():
            return band
        low, high, deviation = there.min(), there.max(), there.std()
        bent = ((band - low) / (high - low)).clip(0, 1) ** np.exp(gamma / 2) * (high - low) + low
        middle = float(there.mean())
        changed = (bent - middle) * (1 + contrast) + middle + brightness * deviation
        grain = self._random.standard_normal(band.shape, np.float32)
        return np.asarray(changed + grain * (abs(noise) / 4 * deviation), np.float32)


def _as_type(values: NDArray[np.float32], dtype: np.dtype[Any]) -> Pixels:
    if dtype.kind == "f":
        return values.astype(dtype)
    limits = np.iinfo(dtype)
    return np.rint(values).clip(limits.min, limits.max).astype(dtype)
