"""Weights, thresholds and probabilities as integers: the one rule by which a blend is exact.

A blend is sum(weight * value) over the members, in uint32: weights sum to exactly ONE = 2**16 and a
stored value is at most 65535, so that no sum overflows and none is rounded. Integer sums have no
order, hence a blend does not depend on blocks, threads or the machine.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from pipeline.errors import ArtefactError, ConfigError

ONE = 1 << 16
# Thresholds are searched among so many steps of 0..1: half a step of uint8, so that 0.5 is one.
THRESHOLD_LEVELS = 512


def integer_weights(weights: Sequence[float] | NDArray[Any]) -> NDArray[np.uint32]:
    """Weights (M,) as shares of ONE; their sum is exactly ONE.

    Every share is rounded down and the units left over go to the largest remainders (of equal
    ones, to the first). Weights that are whole shares of ONE come back as they are.
    """
    values = np.asarray(weights, np.float64)
    return _whole_shares(values.shape, tuple(values.ravel().tolist())).copy()


@lru_cache  # a blend asks for the same weights at every image
def _whole_shares(shape: tuple[int, ...], weights: tuple[float, ...]) -> NDArray[np.uint32]:
    shares = _shares(np.array(weights, np.float64).reshape(shape))
    whole = np.floor(shares)
    left = ONE - int(whole.sum())
    order = np.argsort(-(shares - whole), kind="stable")
    whole[order[:left]] += 1
    return whole.astype(np.uint32)


def _shares(values: NDArray[np.float64]) -> NDArray[np.float64]:
    listed = ", ".join(f"{value:g}" for value in values.ravel())
    if values.ndim != 1 or values.size == 0:
        raise ConfigError("ensemble.weights: a blend needs at least one member")
    if not np.isfinite(values).all() or (values < 0).any():
        raise ConfigError(f"ensemble.weights: [{listed}] holds a negative or infinite weight")
    if not values.any():
        raise ConfigError(f"ensemble.weights: [{listed}] sums to zero; give a member some weight")
    # Divided by the largest first, because sums and quotients of extreme numbers overflow.
    parts: NDArray[np.float64] = values / values.max()
    return parts * (ONE / math.fsum(parts))


def top(dtype: DTypeLike) -> int:
    """The stored number that means probability 1 in maps of this integer type."""
    try:
        return {np.dtype(np.uint8): 255, np.dtype(np.uint16): 65535}[np.dtype(dtype)]
    except KeyError:
        raise ArtefactError(f"maps of {np.dtype(dtype)} are not quantised probabilities") from None


def limit(threshold: float, dtype: DTypeLike) -> int:
    """The least sum that counts as positive at this threshold, for values of this type."""
    if not 0 <= threshold <= 1:
        raise ConfigError(f"ensemble.threshold: {threshold:g} is outside 0..1")
    return round(threshold * top(dtype) * ONE)


def level_shift(dtype: DTypeLike) -> int:
    """A sum shifted right by this many bits is its level, 0..THRESHOLD_LEVELS-1."""
    return 15 if top(dtype) == 255 else 23


def level_threshold(level: int, dtype: DTypeLike) -> float:
    """The threshold that sums of this level or higher pass; `limit` gives back level << shift."""
    return (level << level_shift(dtype)) / (top(dtype) * ONE)


def nearest_level(threshold: float, dtype: DTypeLike) -> int:
    """The level whose threshold is nearest, within 1/500 (1 itself is above the last level)."""
    level = round(threshold * top(dtype) * ONE / (1 << level_shift(dtype)))
    return min(level, THRESHOLD_LEVELS - 1)


def exclusive_scales(thresholds: Sequence[float]) -> NDArray[np.uint64]:
    """The factors of the sums of each class (C,) before the largest wins: ONE / t.

    Thresholds of multiclass maps only weigh the classes against each other: all equal is the plain
    argmax. A product stays under 2**62.
    """
    values = np.asarray(thresholds, np.float64)
    if not ((values >= 2**-14) & (values <= 16)).all():
        raise ConfigError(f"ensemble.threshold: {list(thresholds)} must lie within 2**-14..16")
    return np.rint(ONE / values).astype(np.uint64)
