"""Two thresholds: likely pixels are kept where they touch certain ones."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

CANDIDATES = (0.4, 0.3, 0.2, 0.1)


def hysteresis(
    decision: NDArray[np.bool_], probability: NDArray[np.float32], value: float
) -> NDArray[np.bool_]:
    """Add the pixels of probability >= `value` that are 8-connected to decided ones; bool CHW.

    J. Canny, "A Computational Approach to Edge Detection", 1986, has the idea.
    """
    planes = zip(decision, probability, strict=True)
    return np.stack([_grown(seed, seed | (likely >= value)) for seed, likely in planes])


def _grown(seed: NDArray[np.bool_], likely: NDArray[np.bool_]) -> NDArray[np.bool_]:
    count, labels = cv2.connectedComponents(likely.view(np.uint8), connectivity=8)
    keep = np.zeros(count, bool)
    keep[labels[seed]] = True
    grown: NDArray[np.bool_] = keep[labels]
    return grown
