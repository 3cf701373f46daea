"""Emptying of uncertain masks, since a false positive on an empty image costs its whole score."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

CANDIDATES = (0.6, 0.7, 0.8, 0.9, 0.95)
BY_PRESENCE = (0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9)
TOP_PART = 1000


def gate(
    decision: NDArray[np.bool_], probability: NDArray[np.float32], value: float
) -> NDArray[np.bool_]:
    """Empty each class plane whose most likely pixels are not likely enough; bool CHW.

    The mean probability of the most likely thousandth of the plane must reach `value`.
    """
    flat = probability.reshape(len(probability), -1)
    count = max(1, flat.shape[1] // TOP_PART)
    certainty = np.partition(flat, -count, axis=1)[:, -count:].mean(axis=1)
    opened: NDArray[np.bool_] = decision & (certainty >= value)[:, None, None]
    return opened
