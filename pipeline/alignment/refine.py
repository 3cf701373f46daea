"""Dense robust registration: Gauss-Newton steps inside one family of motion."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.alignment.compare import Pair
from pipeline.alignment.geometry import PARAMETERS, FloatArray, compose
from pipeline.alignment.normal_equations import Cells, cell_fields, measure, normal_equations
from pipeline.config.choices import Motion

_LONGEST_STEP = 4.0
_SLOWEST = 0.75
_LAST_STEP = 0.01
_RESTING_STEP = 0.2


@dataclass(frozen=True)
class MotionFit:
    """A warp of one family, the cells measured before its last step, and whether it is at rest."""

    motion: Motion
    warp: FloatArray
    cells: Cells
    converged: bool


def solve(hessian: FloatArray, score: FloatArray) -> FloatArray:
    """The step of the normal equations; directions without information stay where they are."""
    damping = 1e-6 * float(np.trace(hessian)) / len(score) + 1e-12
    return np.asarray(np.linalg.solve(hessian + damping * np.eye(len(score)), score))


def fit(pair: Pair, warp: FloatArray, motion: Motion, iterations: int) -> MotionFit:
    """Steps from a start within a few pixels to the best warp of the family.

    The start must belong to the family, up to a scale that all further steps keep.
    """
    fields = cell_fields(pair.size)[:, :, : PARAMETERS[motion]]
    last = np.zeros(fields.shape[2])
    for _ in range(iterations):
        cells = measure(pair, warp)
        step = solve(*normal_equations(cells.tensor, cells.pull, fields))
        step *= _stretch(step, last)
        warp = compose(warp, step, pair.size)
        last = step
        if np.abs(step).max() < _LAST_STEP:
            break
    return MotionFit(motion, warp, cells, bool(np.abs(last).max() < _RESTING_STEP))


def _stretch(step: FloatArray, last: FloatArray) -> float:
    """Factor for a step: longer where steps shrink slowly along one line (Aitken), never far."""
    longest = max(float(np.abs(step).max()), 1e-12)
    along = float(step @ last) / max(float(last @ last), 1e-12)
    return min(1.0 / (1.0 - min(max(along, 0.0), _SLOWEST)), _LONGEST_STEP / longest)
