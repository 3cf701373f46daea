"""Random views of a training sample; the same seed gives the same view, wherever it is drawn."""

from __future__ import annotations

import os

os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # its import must not look at the network

import albumentations as A
import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.competition.reading import BLANK
from pipeline.config import AugmentConfig

Size = tuple[int, int]
_FLIPS = {"horizontal": A.HorizontalFlip, "vertical": A.VerticalFlip, "transpose": A.Transpose}
_MARGIN = 1.25  # how much more than the crop is warped, so that rotations bring in real pixels


class Augmenter:
    """Crop, geometry and colour of one sample at a time.

    Geometry moves image, reference, planes and validity together; colour changes image and
    reference each on its own, as two cameras would. Before that the reference may be moved a
    little, as an alignment that is not perfect does, or be blank.
    """

    def __init__(self, size: Size, settings: AugmentConfig) -> None:
        self._size = size
        self._settings = settings
        self._geometry = A.Compose(
            _geometry(size, settings), additional_targets={"reference": "image"}
        )
        self._colour = A.Compose(_colour(settings))

    def __call__(
        self,
        image: NDArray[np.uint8],
        planes: NDArray[np.uint8],
        valid: NDArray[np.bool_] | None,
        seed: list[int],
    ) -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]]:
        """image HWC, planes CHW, valid HW → the same at the crop's size, validity as 0/1.

        seed: what makes this view this one (seed, epoch, position).
        """
        random = np.random.default_rng(seed)
        window = self._window(image.shape, random)
        self._geometry.set_random_seed(int(random.integers(2**31)))
        self._colour.set_random_seed(int(random.integers(2**31)))
        stack = _stacked(planes, valid)[window]
        targets = {"image": image[window][..., :3], "mask": np.ascontiguousarray(stack)}
        if image.shape[2] > 3:
            targets["reference"] = _jittered(image[window][..., 3:], self._settings, random)
        moved = self._geometry(**targets)
        seen = [
            self._colour(image=moved[key])["image"]
            for key in ("image", "reference")
            if key in moved
        ]
        if len(seen) > 1 and random.random() < self._settings.reference_drop:
            seen[1] = np.full_like(seen[1], BLANK)
        *classes, counted = moved["mask"].transpose(2, 0, 1)
        return np.concatenate(seen, axis=2), np.stack(classes), counted

    def _window(self, shape: tuple[int, ...], random: np.random.Generator) -> tuple[slice, slice]:
        """A part of the image at most `_MARGIN` times the crop, so that big images stay cheap."""
        slices = []
        for length, wanted in zip(shape[:2], self._size, strict=True):
            side = min(length, int(np.ceil(wanted * _MARGIN)))
            start = int(random.integers(length - side + 1))
            slices.append(slice(start, start + side))
        return slices[0], slices[1]


def _jittered(
    reference: NDArray[np.uint8], settings: AugmentConfig, random: np.random.Generator
) -> NDArray[np.uint8]:
    """The reference HWC, moved at random about its middle; reflected at its edges."""
    jitter = settings.reference_jitter
    if not (jitter.shift or jitter.rotate or jitter.scale):
        return reference
    height, width = reference.shape[:2]
    shift, turn = random.uniform(-1, 1, 2) * jitter.shift, random.uniform(-1, 1) * jitter.rotate
    scale = (1 + jitter.scale) ** random.uniform(-1, 1)
    matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), turn, scale)
    matrix[:, 2] = matrix[:, 2] + shift
    moved = cv2.warpAffine(
        np.ascontiguousarray(reference), matrix, (width, height), borderMode=cv2.BORDER_REFLECT_101
    )
    return np.asarray(moved, np.uint8)


def _stacked(planes: NDArray[np.uint8], valid: NDArray[np.bool_] | None) -> NDArray[np.uint8]:
    """HWC: the planes and, as the last one, the validity."""
    counted = np.ones(planes.shape[1:], np.uint8) if valid is None else valid.view(np.uint8)
    return np.concatenate([planes, counted[None]]).transpose(1, 2, 0)


def _geometry(size: Size, settings: AugmentConfig) -> list[A.BasicTransform]:
    height, width = size
    pad = A.PadIfNeeded(height, width, border_mode=cv2.BORDER_REFLECT_101)
    affine = A.Affine(
        scale=(1 / (1 + settings.scale), 1 + settings.scale),
        rotate=(-settings.rotate, settings.rotate),
        translate_percent=(-settings.shift, settings.shift),
        border_mode=cv2.BORDER_REFLECT_101,
        p=settings.affine,
    )
    flips = [_FLIPS[name](p=0.5) for name in settings.flips if name != "transpose"]
    if "transpose" in settings.flips and height == width:
        flips.append(A.Transpose(p=0.5))
    return [pad, affine, A.RandomCrop(height, width), *flips]


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
