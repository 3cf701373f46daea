"""Random views of a training sample; the same seed gives the same view, wherever it is drawn."""

from __future__ import annotations

import os

os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # its import must not look at the network

import random as python_random

import albumentations as A
import numpy as np
from numpy.typing import NDArray

from pipeline.config import AugmentConfig
from pipeline.data.image_sources.rgb import RgbImages
from pipeline.data.image_sources.source import ImageSource, Pixels
from pipeline.size import Size
from pipeline.training.crop_view import CropView, draw_jitter, draw_view

RGB = RgbImages()


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
        self._colour = A.Compose(_colour(settings))

    def __call__(
        self,
        image: Pixels,
        planes: NDArray[np.uint8],
        valid: NDArray[np.bool_] | None,
        seed: list[int],
    ) -> tuple[Pixels, NDArray[np.uint8], NDArray[np.uint8]]:
        """image HWC, planes CHW, valid HW → the same at the crop's size, validity as 0/1.

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
        seen = [self._colour(image=each)["image"] for each in seen]
        if len(seen) > 1 and reference.random() < self._settings.reference_drop:
            seen[1] = np.full_like(seen[1], self._source.blank)
        moved = np.stack([view.plane(plane) for plane in planes])
        if valid is None:
            return np.concatenate(seen, axis=2), moved, np.ones(self._size, np.uint8)
        return np.concatenate(seen, axis=2), moved, view.plane(valid.view(np.uint8))

    def _reference(self, reference: Pixels, view: CropView, random: np.random.Generator) -> Pixels:
        jitter = draw_jitter(view.middle, self._settings.reference_jitter, random)
        return (view if jitter is None else view.after(jitter)).image(reference)


def _colour(settings: AugmentConfig) -> list[A.BasicTransform]:
    strength = settings.strength
    return [
        A.ColorJitter(
            brightness=(1 - strength, 1 + strength),
            contrast=(1 - strength, 1 + strength),
            saturation=(1 - strength, 1 + strength),
            hue=(-strength / 5, strength / 5),
            p=settings.colour,
        )
    ]
