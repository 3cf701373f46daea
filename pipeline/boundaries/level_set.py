"""A level-set image: zero at the predicted boundary."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_LEAST = 1 / 510
"""Half a step of the stored maps, the finest resolution near 0 and 1."""


def signed_level(
    probabilities: NDArray[np.float32], thresholds: Sequence[float], multiclass: bool
) -> NDArray[np.float32]:
    """CHW probabilities and a threshold a class -> CHW, at least 0 just where a class is decided.

    Log-odds, because those change evenly across a boundary where probabilities bend; of multiclass
    classes the log of probability / threshold over the largest of the others.
    """
    known = np.clip(probabilities, _LEAST, 1 - _LEAST)
    limits = np.clip(np.asarray(thresholds, np.float32), _LEAST, 1 - _LEAST)[:, None, None]
    if not multiclass:
        return np.asarray(_odds(known) - _odds(limits), np.float32)
    shares = np.log(known / limits)
    ranked = np.sort(shares, axis=0)
    rest = np.where(shares == ranked[-1:], ranked[-2:-1], ranked[-1:])
    return np.asarray(shares - rest, np.float32)


def _odds(values: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(np.log(values / (1 - values)), np.float32)
