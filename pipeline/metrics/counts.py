"""The counts that most scores are made of, and the two ways to divide them safely."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.data.ground_truth import Truth

Amounts = NDArray[np.int64] | NDArray[np.floating[Any]]

TRUE_POSITIVE, FALSE_POSITIVE, FALSE_NEGATIVE, TRUE_NEGATIVE = range(4)

_TWENTIETHS = np.arange(10, 20)  # t = 0.50, 0.55 … 0.95


def counts(decision: NDArray[np.bool_] | NDArray[np.int32], truth: Truth) -> NDArray[np.int64]:
    """True positives, false positives, false negatives, true negatives of each class, (C, 4).

    decision: CHW, non-zero = decided inside. Void pixels are in none of the four.
    """
    assert decision.shape == truth.planes.shape, f"{decision.shape} against {truth.planes.shape}"
    table = [_counted(*pair, truth.valid) for pair in zip(decision, truth.planes, strict=True)]
    return np.array(table, np.int64).reshape(-1, 4)


def _counted(
    decided: NDArray[np.bool_] | NDArray[np.int32],
    true: NDArray[np.uint8],
    valid: NDArray[np.bool_] | None,
) -> tuple[int, int, int, int]:
    """The four counts of one plane, from three sums: all else follows from the areas."""
    inside, actual, pixels = decided.astype(bool, copy=False), true.view(np.bool_), true.size
    if valid is not None:
        inside, actual, pixels = inside & valid, actual & valid, int(np.count_nonzero(valid))
    both = int(np.count_nonzero(inside & actual))
    missed = int(np.count_nonzero(actual)) - both
    invented = int(np.count_nonzero(inside)) - both
    return both, invented, missed, pixels - both - invented - missed


def ratio(part: Amounts, whole: Amounts) -> NDArray[np.float64]:
    """part / whole, and 1 where both are 0: nothing was there and nothing was claimed."""
    empty = whole == 0
    return np.asarray((part + empty) / (whole + empty))


def exceeds(intersection: NDArray[np.int64], union: NDArray[np.int64]) -> NDArray[np.bool_]:
    """True if intersection / union > t for t = 0.50, 0.55 … 0.95; (...) -> (..., 10).

    In whole numbers, because 0.6 as a sum of float steps of 0.05 is no longer 0.6.
    """
    return 20 * intersection[..., None] > _TWENTIETHS * union[..., None]
