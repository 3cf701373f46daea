"""`maps.quantise` on a device, so that a quarter of the bytes or less come down from it."""

from __future__ import annotations

import torch
from torch import Tensor

from pipeline.config.choices import MapDtype
from pipeline.maps.quantise import HIGHEST, LARGEST_STORED, LOWEST

_TYPES = {"uint8": torch.uint8, "uint16": torch.uint16}


def quantised(maps: Tensor, dtype: MapDtype) -> Tensor:
    """Probabilities (float32, any shape) that are `in_range`, as the numbers that are stored."""
    if dtype == "float16":
        return maps.clamp(0, 1).half()
    return (maps * LARGEST_STORED[dtype]).round_().to(_TYPES[dtype])


def in_range(maps: Tensor) -> Tensor:
    """A bool, on the device: whether all are probabilities; NaN are none."""
    return ((maps >= float(LOWEST)) & (maps <= float(HIGHEST))).all()
