"""Tries the steps of `train.augment` on random pixels, before hours depend on them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from pipeline.config import AugmentConfig
from pipeline.config.augmentation_steps import as_written, parse_step
from pipeline.data.image_sources.source import ImageSource, Pixels
from pipeline.errors import ConfigError
from pipeline.size import Size
from pipeline.training.augmentation_steps import Shown, Steps
from pipeline.training.transforms import is_spatial, make_transform

TRIES = {True: 8, False: 2}
"""Of a step, by whether it changes places: such a one may turn a crop only now and then."""


def faulty_steps(
    settings: AugmentConfig, size: Size, source: ImageSource, key: str = "train"
) -> Iterator[str]:
    """What is wrong with each step that cannot be applied to crops of that H, W and source.

    key: where the settings are written.
    """
    for entry in settings.steps:
        step = parse_step(entry)
        always = Steps([as_written(step._replace(p=1.0))])
        random = np.random.default_rng(0)
        try:
            for _ in range(TRIES[is_spatial(make_transform(step))]):
                always(_random_crop(size, source, random), random)
        except ConfigError as error:
            yield str(error).replace("train.", f"{key}.", 1)
            continue
        holes = "fill" in step.arguments and step.arguments["fill"] != 0
        if source.dtype.kind == "f" and holes:
            yield (
                f"{key}.augment.steps: {step.name}.fill: of data.bands, what is cut out or comes "
                "from outside has no data; leave fill out"
            )


def _random_crop(size: Size, source: ImageSource, random: np.random.Generator) -> Shown:
    pixels: Pixels = random.integers(0, 256, (*size, source.channels))
    planes = random.integers(0, 2, (2, *size), dtype=np.uint8)
    return Shown([pixels.astype(source.dtype)], planes, np.ones(size, np.uint8))
