"""Random views of a training sample; the same seed gives the same view, wherever it is drawn."""

from __future__ import annotations

import os

os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # its import must not look at the network

import random as python_random
from typing import NamedTuple

import albumentations as A
import numpy as np
from numpy.typing import NDArray

from pipeline.config import AugmentConfig
from pipeline.data.image_sources.rgb import RgbImages
from pipeline.data.image_sources.source import ImageSource, Pixels
from pipeline.size import Size
from pipeline.training.crop_view import CropView, draw_jitter, draw_view
from pipeline.training.drawn_colour import UNCHANGED, Drawn, DrawnJitter

RGB = RgbImages()


class Crop(NamedTuple):
    """A random view of a sample."""

    image: Pixels
    """HWC of the crop's size."""
    planes: NDArray[np.uint8]
    """CHW."""
    valid: NDArray[np.uint8]
    """HW, 0 or 1."""
    colour: Drawn
    """Of the image and of a reference each: what is still to be done to its colours."""


class Augmenter:
    """Crop, geometry and colour of one sample at a time.

    Geometry moves image, reference, planes and validity together; colour changes image and
    reference each on its own, as two cameras would. The reference may be moved a little besides,
    as an alignment that is not perfect does, or be blank.
    """

    def __init__(self, size: Size, settings: AugmentConfig, source: ImageSource = RGB) -> None:
        self._size = size
        self._source = source
        self._settings = settings
        later = settings.colour_on == "device"
        self._jitter = _jitter(settings, DrawnJitter if later else A.ColorJitter)
        self._colour = A.Compose([self._jitter])

    def __call__(
        self,
        image: Pixels,
        planes: NDArray[np.uint8],
        valid: NDArray[np.bool_] | None,
        seed: list[int],
    ) -> Crop:
        """image HWC, planes CHW, valid HW → the same at the crop's size.

        seed: what makes this view this one (seed, epoch, position). Geometry, colour and what is
        done to the reference draw from streams of their own: none knows of another's choices.
        """
        geometry, colour, reference = np.random.default_rng(seed).spawn(3)
        view = draw_view(planes.shape[1:], self._size, self._settings, geometry)
        channels = self._source.channels
        seen = [view.image(image[..., :channels])]
        if image.shape[2] > channels:
            seen.append(self._reference(image[..., channels:], view, reference))
        # one stream for all transforms: generators of one seed would all draw the same numbers
        self._colour.set_random_state(colour, python_random.Random(int(colour.integers(2**63))))
        coloured = [self._coloured(each) for each in seen]
        if len(seen) > 1 and reference.random() < self._settings.reference_drop:
            coloured[1] = np.full_like(seen[1], self._source.blank), UNCHANGED
        return Crop(
            np.concatenate([pixels for pixels, _ in coloured], axis=2),
            np.stack([view.plane(plane) for plane in planes]),
            np.ones(self._size, np.uint8) if valid is None else view.plane(valid.view(np.uint8)),
            np.stack([drawn for _, drawn in coloured]),
        )

    def _coloured(self, image: Pixels) -> tuple[Pixels, Drawn]:
        """With other colours, or what is to be done to them."""
        if isinstance(self._jitter, DrawnJitter):
            self._jitter.drawn = UNCHANGED
            self._colour(image=image)
            return image, self._jitter.drawn
        return self._colour(image=image)["image"], UNCHANGED

    def _reference(self, reference: Pixels, view: CropView, random: np.random.Generator) -> Pixels:
        jitter = draw_jitter(view.middle, self._settings.reference_jitter, random)
        return (view if jitter is None else view.after(jitter)).image(reference)


def _jitter(settings: AugmentConfig, kind: type[A.ColorJitter]) -> A.ColorJitter:
    strength = settings.strength
    return kind(
        brightness=(1 - strength, 1 + strength),
        contrast=(1 - strength, 1 + strength),
        saturation=(1 - strength, 1 + strength),
        hue=(-strength / 5, strength / 5),
        p=settings.colour,
    )
