"""Tells masks whose values blend into each other (lossy, resized, anti-aliased) from label maps."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

SOFT = 0.3
"""Share of in-between pixels that makes a mask soft. JPEG has 0.4 and more, crowded labels 0.16."""
_NEIGHBOURS = np.ones((3, 3), np.uint8)


def distinct(values: NDArray[np.uint8] | NDArray[np.int32]) -> NDArray[np.int64]:
    """The values that occur, in order."""
    if values.dtype != np.uint8:
        return np.unique(values).astype(np.int64)
    counts = cv2.calcHist([np.ascontiguousarray(values)], [0], None, [256], [0, 256])
    return np.flatnonzero(counts)


def is_soft(values: NDArray[np.uint8] | NDArray[np.int32]) -> bool:
    """True if the values between none and the largest are steps from one to the other.

    Such a step has a lower and a higher neighbour; a pixel of a numbered object has neighbours of
    its own number and of the background.
    """
    low, high, own = _surroundings(values)
    between = (own > 0) & (own < own.max(initial=0))
    steps = between & (low < own) & (own < high)
    return bool(steps.sum() > SOFT * max(1, between.sum()))


def blends(values: NDArray[np.uint8] | NDArray[np.int32]) -> bool:
    """True if values of several classes blend: between most neighbours lie pixels in between."""
    low, high, own = _surroundings(values)
    border = low < high
    steps = (low < own) & (own < high)
    return bool(border.any() and steps.sum() > SOFT * border.sum())


def _surroundings(
    values: NDArray[np.uint8] | NDArray[np.int32],
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """The lowest and the highest value of the 3×3 pixels around each, and its own."""
    own = values.astype(np.float32)
    low, high = cv2.erode(own, _NEIGHBOURS), cv2.dilate(own, _NEIGHBOURS)
    return np.asarray(low, np.float32), np.asarray(high, np.float32), own
