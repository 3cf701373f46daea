"""Euclidean distances of pixels to the other side of a boundary."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]
Map = NDArray[np.float32]


def distances_to_other_side(inside: Mask, outside: Mask) -> Map:
    """HW, pixels: from each pixel inside to the nearest outside, and the other way round.

    0 at pixels of neither side (void), and everywhere where a side has no pixel: then there is no
    boundary.
    """
    if not inside.any() or not outside.any():
        return np.zeros(inside.shape, np.float32)
    return np.where(inside, _distance_to(outside), _distance_to(inside) * outside)


def signed_distances(inside: Mask, outside: Mask) -> Map:
    """The same with the sign of Kervadec et al. (2019): up to 0 inside, from 1 outside."""
    distances = distances_to_other_side(inside, outside)
    return np.where(inside & (distances > 0), 1 - distances, distances)


def _distance_to(mask: Mask) -> Map:
    rest = (~mask).view(np.uint8)
    return np.asarray(cv2.distanceTransform(rest, cv2.DIST_L2, cv2.DIST_MASK_PRECISE), np.float32)
