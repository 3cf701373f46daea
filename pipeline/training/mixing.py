"""Mixes a crop with crops of other training samples: mixup, cutmix, objects pasted, mosaic.

Truth and validity go with the pixels. Where colours are changed on the device, a mixed crop gets
the change that was drawn for its first sample.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.config import AugmentConfig, DataConfig
from pipeline.data.ground_truth import CERTAIN
from pipeline.training.augmentation import Crop
from pipeline.training.auxiliary.targets import mixed

Partner = Callable[[bool], Crop]
"""Draws a crop of another training sample, a new one at each call; True: with a pixel of some class
where its image has any."""

_ALPHA = 0.4  # of mixup's beta distribution (Zhang et al. 2018): mostly near one of both
_PASTED = 0.5  # of the objects of a class, each; but at least one
_LARGEST = 0.5  # share of the crop: what is larger is no object but a background


def planes_are_soft(data: DataConfig, settings: AugmentConfig) -> bool:
    """True if planes of training crops are probabilities 0..CERTAIN, and not 0/1."""
    return data.soft or settings.mixup > 0


class Mixer:
    """What is drawn of `settings` for one crop after the other."""

    def __init__(
        self,
        settings: AugmentConfig,
        data: DataConfig,
        aimed: Callable[[Crop], Crop] | None = None,
    ) -> None:
        """aimed: gives a crop its targets, before its truth is averaged; None: it needs none."""
        self._settings = settings
        self._aimed = aimed or (lambda crop: crop)
        self._to_soft = planes_are_soft(data, settings) and not data.soft
        self._half = CERTAIN // 2 if data.soft else 0

    def __call__(self, crop: Crop, partner: Partner, random: np.random.Generator) -> Crop:
        """The crop, mixed as often as each probability says; none depends on another."""
        settings = self._settings
        drawn = random.random(4)
        if drawn[0] < settings.mosaic:
            crop = mosaic(crop, [partner(False) for _ in range(3)], random)
        if drawn[1] < settings.copy_paste:
            crop = copy_paste(crop, partner(True), random, self._half)
        if drawn[2] < settings.cutmix:
            crop = cutmix(crop, partner(False), random)
        crop = self._aimed(crop)
        if self._to_soft:
            crop = crop._replace(planes=crop.planes * np.uint8(CERTAIN))
        if drawn[3] < settings.mixup:
            other = self._aimed(partner(False))
            if self._to_soft:
                other = other._replace(planes=other.planes * np.uint8(CERTAIN))
            crop = mixup(crop, other, random)
        return crop


def mixup(crop: Crop, other: Crop, random: np.random.Generator) -> Crop:
    """The weighted mean of two crops (Zhang et al. 2018), planes 0..CERTAIN.

    A pixel counts where it counts in both: of a mean with void nothing is known.
    """
    share = np.float32(random.beta(_ALPHA, _ALPHA))
    return crop._replace(
        image=_mean(crop.image, other.image, share),
        planes=_mean(crop.planes, other.planes, share),
        valid=crop.valid & other.valid,
        targets=mixed(crop.targets, other.targets, share),
    )


def cutmix(crop: Crop, other: Crop, random: np.random.Generator) -> Crop:
    """A rectangle of the other crop in place of this one's (Yun et al. 2019).

    Its share of the area is uniform, its middle anywhere; it may reach beyond the edges.
    """
    height, width = crop.valid.shape
    side = np.sqrt(random.random())
    middle = random.random(2) * (height, width)
    reach = side * np.array([height, width]) / 2
    top, left = np.maximum(np.rint(middle - reach), 0).astype(int)
    bottom, right = np.rint(middle + reach).astype(int)
    inside = np.zeros((height, width), bool)
    inside[top:bottom, left:right] = True
    return _replaced(crop, other, inside)


def copy_paste(crop: Crop, other: Crop, random: np.random.Generator, half: int = 0) -> Crop:
    """Some objects of the other crop, at their places (Ghiasi et al. 2021).

    Objects are connected pixels of a class that count, with more than `half` in its plane. What
    fills most of a crop is left out.
    """
    inside = np.zeros(crop.valid.shape, bool)
    for labels, numbers in _objects(other, half):
        chosen = random.random(len(numbers)) < _PASTED
        chosen[int(random.integers(len(numbers)))] = True
        inside |= np.isin(labels, numbers[chosen])
    return _replaced(crop, other, inside) if inside.any() else crop


def mosaic(crop: Crop, others: list[Crop], random: np.random.Generator) -> Crop:
    """Four crops that meet at a random point of the middle half, each in its own quarter."""
    height, width = crop.valid.shape
    row, column = np.rint(random.uniform(0.25, 0.75, 2) * (height, width)).astype(int)
    quarters = (
        (slice(None, row), slice(column, None)),
        (slice(row, None), slice(None, column)),
        (slice(row, None), slice(column, None)),
    )
    for other, (rows, columns) in zip(others, quarters, strict=True):
        inside = np.zeros((height, width), bool)
        inside[rows, columns] = True
        crop = _replaced(crop, other, inside)
    return crop


def _replaced(crop: Crop, other: Crop, inside: NDArray[np.bool_]) -> Crop:
    """The crop, and inside of a region (HW) the other one."""
    objects = crop.objects
    if objects is not None and other.objects is not None:
        objects = np.where(inside, other.objects, objects)
    return crop._replace(
        image=np.where(inside[..., None], other.image, crop.image),
        planes=np.where(inside, other.planes, crop.planes),
        valid=np.where(inside, other.valid, crop.valid),
        objects=objects,
    )


def _mean(one: NDArray[Any], other: NDArray[Any], share: np.float32) -> NDArray[Any]:
    mixed = one.astype(np.float32) * share + other.astype(np.float32) * (1 - share)
    return (np.rint(mixed) if one.dtype.kind in "ui" else mixed).astype(one.dtype)


def _objects(crop: Crop, half: int) -> Iterator[tuple[NDArray[np.int32], NDArray[np.intp]]]:
    """Of each class that has objects: connected pixels numbered (HW), and their numbers."""
    largest = _LARGEST * crop.valid.size
    for plane in crop.planes:
        there = ((plane > half) & (crop.valid > 0)).view(np.uint8)
        _, labels, facts, _ = cv2.connectedComponentsWithStats(there, connectivity=8)
        numbers = np.flatnonzero(facts[:, cv2.CC_STAT_AREA] <= largest)
        if (numbers := numbers[numbers > 0]).size:
            yield labels, numbers
