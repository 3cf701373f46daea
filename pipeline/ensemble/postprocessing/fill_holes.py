"""Filling of small holes in objects."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

CANDIDATES = (0.0003, 0.001, 0.01, 1.0)


def fill_holes(
    decision: NDArray[np.bool_], probability: NDArray[np.float32], value: float
) -> NDArray[np.bool_]:
    """Fill holes of up to `value` times the image; bool CHW.

    A hole is a 4-connected component of the outside that does not reach the image's border.
    """
    most = value * probability[0].size
    return np.stack([_filled(plane, most) for plane in decision])


def _filled(plane: NDArray[np.bool_], most: float) -> NDArray[np.bool_]:
    outside = (~plane).view(np.uint8)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(outside, connectivity=4)
    hole = stats[:, cv2.CC_STAT_AREA] <= most
    for border in (labels[0], labels[-1], labels[:, 0], labels[:, -1]):
        hole[border] = False
    hole[0] = True  # the plane itself
    filled: NDArray[np.bool_] = hole[labels]
    return filled
