"""Keeping the largest objects only, where their number is known (one car, two lungs)."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

CANDIDATES = (3, 2, 1)


def keep_largest(
    decision: NDArray[np.bool_], probability: NDArray[np.float32], value: float
) -> NDArray[np.bool_]:
    """Keep the `value` largest 8-connected components of each class; bool CHW."""
    del probability
    return np.stack([_largest(plane, int(value)) for plane in decision])


def _largest(plane: NDArray[np.bool_], count: int) -> NDArray[np.bool_]:
    _, labels, stats, _ = cv2.connectedComponentsWithStats(plane.view(np.uint8), connectivity=8)
    order = np.argsort(-stats[1:, cv2.CC_STAT_AREA], kind="stable") + 1
    keep = np.zeros(len(stats), bool)
    keep[order[:count]] = True
    kept: NDArray[np.bool_] = keep[labels]
    return kept
