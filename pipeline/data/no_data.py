"""Moves images whose pixels may lack data: NaN would spread to all that is mixed with it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

ENOUGH = np.float32(0.5)
"""The share of a new pixel that must come from pixels with data."""


def keeping_no_data(
    image: NDArray[Any], move: Callable[[NDArray[Any]], NDArray[Any]]
) -> NDArray[Any]:
    """`move(image)`, where a new pixel is the mean of those with data, as far as these are enough.

    move: resamples an image, by weights that sum to 1. Without NaN nothing else happens.
    """
    lost = np.isnan(image) if image.dtype.kind == "f" else None
    if lost is None or not lost.any():
        return move(image)
    weights = move((~lost).astype(np.float32))
    values = move(np.where(lost, np.float32(0), image))
    mixed = values / np.maximum(weights, ENOUGH)
    return np.where(weights >= ENOUGH, mixed, np.float32(np.nan)).astype(image.dtype)
