"""Converts probabilities to stored numbers and back: the only place of this rule.

uint8 holds round(255 p) and uint16 round(65535 p), so a value comes back within half a step
(1/510 or 1/131070); float16 holds p as it rounds. Truncating instead of rounding would shift
every map down by half a step.
"""

from __future__ import annotations

from typing import Any, cast

import numpy as np
from numba import njit
from numpy.typing import NDArray

from pipeline.config.choices import MapDtype
from pipeline.errors import ArtefactError, TrainingError

Stored = NDArray[Any]

LARGEST_STORED: dict[str, int] = {"uint8": 255, "uint16": 65535}
# Softmax and the mean of several views may leave 0..1 by a few float32 roundings, not by more.
LOWEST, HIGHEST = np.float32(-2e-6), np.float32(1 + 2e-6)


def quantise(probabilities: NDArray[Any], dtype: MapDtype, out: Stored | None = None) -> Stored:
    """Probabilities (float32, 0..1, any shape) as `dtype`, in `out` if given (same shape).

    What is of that type already, since the device has quantised it, stays as it is. Raises
    TrainingError for NaN, and ArtefactError for values outside 0..1 (logits, say).
    """
    if probabilities.dtype == dtype:
        if out is None:
            return probabilities
        np.copyto(out, probabilities)
        return out
    assert probabilities.dtype == np.float32, f"float32 expected, got {probabilities.dtype}"
    values = np.ascontiguousarray(probabilities)
    stored = np.empty(values.shape, dtype) if out is None else out
    if dtype == "float16":
        _check(values)
        np.copyto(stored, np.clip(values, 0, 1), casting="same_kind")
    elif not _round_to_levels(values.ravel(), stored.ravel(), np.float32(LARGEST_STORED[dtype])):
        _check(values)
    return stored


def dequantise(stored: Stored) -> NDArray[np.float32]:
    """Stored values (uint8, uint16 or float16, any shape) as float32 probabilities 0..1."""
    if stored.dtype == np.float16:
        return stored.astype(np.float32)
    scale = np.float32(1 / LARGEST_STORED[stored.dtype.name])
    return cast("NDArray[np.float32]", np.multiply(stored, scale, dtype=np.float32))


@njit(nogil=True, cache=True)
def _round_to_levels(
    values: NDArray[np.float32], out: Stored, levels: np.float32
) -> bool:  # pragma: no cover - compiled
    """One pass that checks and rounds, bound by memory; False where a value is out of range."""
    outside = 0
    for i in range(values.size):
        value = values[i]
        # Written so that NaN counts as outside.
        outside += not (value >= LOWEST and value <= HIGHEST)
        out[i] = np.int32(np.rint(value * levels))
    return outside == 0


def _check(values: NDArray[np.float32]) -> None:
    low, high = float(values.min()), float(values.max())
    if np.isnan(low):
        raise TrainingError("the map holds NaN; the member's weights have diverged, train it again")
    if low < LOWEST or high > HIGHEST:
        raise ArtefactError(
            f"the map holds values from {low:g} to {high:g}, and probabilities are 0..1; "
            "logits go through a sigmoid or softmax first"
        )
