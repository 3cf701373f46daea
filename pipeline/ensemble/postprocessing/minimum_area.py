"""Removal of small components, which are mostly noise."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

CANDIDATES = (0.0001, 0.0003, 0.001, 0.003, 0.01)


def minimum_area(
    decision: NDArray[np.bool_], probability: NDArray[np.float32], value: float
) -> NDArray[np.bool_]:
    """Remove 8-connected components smaller than `value` times the image; bool CHW."""
    least = value * probability[0].size
    return np.stack([_without_small(plane, least) for plane in decision])


def _without_small(plane: NDArray[np.bool_], least: float) -> NDArray[np.bool_]:
    _, labels, stats, _ = cv2.connectedComponentsWithStats(plane.view(np.uint8), connectivity=8)
    keep = stats[:, cv2.CC_STAT_AREA] >= least
    keep[0] = False
    kept: NDArray[np.bool_] = keep[labels]
    return kept
