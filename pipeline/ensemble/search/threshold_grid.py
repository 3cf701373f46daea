"""Places on the grid of thresholds: of a given threshold, and of the best score."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pipeline.ensemble.search.oof import Levels
from pipeline.errors import ConfigError

# How far a given threshold may be moved to lie on the grid.
NEAR = 0.01


def nearest_levels(grid: NDArray[np.float64], thresholds: Sequence[float], classes: int) -> Levels:
    """The levels (C,) of given thresholds; ConfigError if they are not in the grid's range."""
    values = np.asarray(thresholds, np.float64)
    if values.shape != (classes,):
        raise ConfigError(f"ensemble.threshold: {len(values)} thresholds for {classes} classes")
    if ((values < grid[0] - NEAR) | (values > grid[-1] + NEAR)).any():
        raise ConfigError(
            f"ensemble.threshold: {list(thresholds)} is outside the supported range "
            f"{grid[0]:.3f}..{grid[-1]:.3f}"
        )
    nearest: Levels = np.abs(grid[:, None] - values).argmin(axis=0)
    return nearest


def middle_of_best(scores: NDArray[np.float64]) -> int:
    """The middle of the longest stretch of best scores (T,): the place safest from a cliff."""
    best = np.flatnonzero(scores >= scores.max() - 1e-12)
    stretches = np.split(best, np.flatnonzero(np.diff(best) > 1) + 1)
    longest = max(stretches, key=len)
    return int(longest[(len(longest) - 1) // 2])
