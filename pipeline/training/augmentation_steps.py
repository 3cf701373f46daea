"""`train.augment.steps`: transforms of albumentations, one after the other, on one crop.

Transforms that change places do so to image, reference, truth and validity alike; those that
change values do so to image and reference each by itself, as two cameras would. What comes from
outside of the crop is void, unless the transform mirrors the image there: then its truth is
mirrored, too.
"""

from __future__ import annotations

import random as python_random
import warnings
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.config.augmentation_steps import AugmentStep, parse_step
from pipeline.data.image_sources.source import Pixels
from pipeline.data.no_data import ENOUGH
from pipeline.errors import ConfigError
from pipeline.training.transforms import is_spatial, make_transform


class Shown(NamedTuple):
    """A crop as steps change it."""

    images: list[Pixels]
    """The image and, where there is one, its reference: HWC each."""
    planes: NDArray[np.uint8]
    """CHW."""
    valid: NDArray[np.uint8]
    """HW, 0 or 1."""


class Steps:
    """The steps of an experiment; all draws come from what a call is given."""

    def __init__(self, entries: Sequence[str | dict[str, Any]]) -> None:
        self._steps = [_Step(parse_step(each)) for each in entries]

    def __bool__(self) -> bool:
        return bool(self._steps)

    def __call__(self, shown: Shown, random: np.random.Generator) -> Shown:
        """The crop after all steps, each applied as often as its probability says.

        ConfigError names a step that cannot be applied to such an image.
        """
        # one stream for all steps: generators of one seed would all draw the same numbers
        seeded = python_random.Random(int(random.integers(2**63)))
        for step in self._steps:
            shown = step(shown, random, seeded)
        return shown


class _Step:
    def __init__(self, step: AugmentStep) -> None:
        self._name, self._p = step.name, step.p
        self._transform = make_transform(step)
        self._spatial = is_spatial(self._transform)
        if self._spatial:
            names = ("reference", "weight", "reference_weight")
            self._transform.add_targets(dict.fromkeys(names, "image"))

    def __call__(
        self, shown: Shown, random: np.random.Generator, seeded: python_random.Random
    ) -> Shown:
        self._transform.set_random_state(random, seeded)
        if self._spatial:
            return self._moved(shown) if random.random() < self._p else shown
        images = [
            self._changed(image) if random.random() < self._p else image for image in shown.images
        ]
        return shown._replace(images=images)

    def _moved(self, shown: Shown) -> Shown:
        """Image, reference, truth and validity, all moved alike."""
        targets: dict[str, NDArray[Any]] = {}
        for name, weight, image in zip(
            ("image", "reference"), ("weight", "reference_weight"), shown.images, strict=False
        ):
            targets[name] = image
            if image.dtype.kind == "f":
                targets[weight] = (~np.isnan(image)).astype(np.float32)
                targets[name] = np.nan_to_num(image, nan=0.0)
        targets["mask"] = np.stack([*shown.planes, shown.valid], axis=2)
        moved = self._applied(targets)
        images = [
            _with_no_data(moved[name], moved.get(weight))
            for name, weight in (("image", "weight"), ("reference", "reference_weight"))
            if name in moved
        ]
        masks = np.ascontiguousarray(moved["mask"].transpose(2, 0, 1))
        return Shown(images, masks[:-1], masks[-1])

    def _changed(self, image: Pixels) -> Pixels:
        """An image with other values at the same places."""
        if image.dtype.kind != "f":
            return self._applied({"image": image})["image"]
        lost = np.isnan(image)
        if lost.all():
            return image
        low = _by_band(np.nanmin, image)
        span = _by_band(np.nanmax, image) - low
        span[span == 0] = 1
        unit = np.where(lost, np.float32(0.5), (image - low) / span).astype(np.float32)
        changed = self._applied({"image": unit})["image"] * span + low
        return np.where(lost, np.float32(np.nan), changed).astype(image.dtype)

    def _applied(self, targets: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                changed: dict[str, NDArray[Any]] = self._transform(**targets)
            except Exception as error:  # of a stranger's code, on any arguments
                reason = " ".join(str(error).split()) or type(error).__name__
                raise self._error(f"fails on {_described(targets)}: {reason[:300]}") from None
        for name, before in targets.items():
            after = changed[name]
            if after.shape != before.shape or after.dtype != before.dtype:
                raise self._error(
                    f"makes {_shape(after)} of {_shape(before)}; steps must keep size and type"
                )
        return changed

    def _error(self, text: str) -> ConfigError:
        return ConfigError(f"train.augment.steps: {self._name} {text}")


def _by_band(reduce: Any, image: Pixels) -> NDArray[np.float32]:
    """One finite value a band; 0 for a band without data."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of bands without any data
        reduced = reduce(image, axis=(0, 1))
    return np.asarray(np.nan_to_num(reduced, nan=0.0), np.float32)


def _with_no_data(image: Pixels, weight: NDArray[np.float32] | None) -> Pixels:
    """Moved values, NaN where less than half of them come from pixels with data."""
    if weight is None:
        return image
    values = image / np.maximum(weight, ENOUGH)
    return np.where(weight >= ENOUGH, values, np.float32(np.nan)).astype(image.dtype)


def _described(targets: dict[str, NDArray[Any]]) -> str:
    return f"an image of {_shape(targets['image'])}"


def _shape(array: NDArray[Any]) -> str:
    return f"{'×'.join(map(str, array.shape))} {array.dtype}"
