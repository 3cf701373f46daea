"""GrabCut: what is neither surely on nor surely off goes to the side whose colours it has."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.ensemble.postprocessing.step import Tried
from pipeline.ensemble.postprocessing.view import Picture

TRIED = Tried(candidates=(0.99, 0.95, 0.8))
FEWEST = 32
"""Sure pixels of a side, below which its colours are not known."""
_MARGIN = 16  # pixels of sure background around what may be the object


def grabcut(
    likely: NDArray[np.float32], picture: Picture, value: float, *, iterations: float = 3
) -> NDArray[np.bool_]:
    """Cut each plane anew where its likelihood lies between 1 - `value` and `value`; bool CHW.

    C. Rother, V. Kolmogorov, A. Blake, "GrabCut", SIGGRAPH 2004: five Gaussians of colours a side
    and a minimum cut. A plane without sure pixels of both sides stays as it is.
    """
    return np.stack([_cut(plane, picture, value, int(iterations)) for plane in likely])


def _cut(likely: NDArray[np.float32], picture: Picture, sure: float, rounds: int) -> NDArray[Any]:
    decision = likely >= 0.5
    box = _box(likely > 1 - sure)
    marks = np.where(decision[box], cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    marks[likely[box] >= sure] = cv2.GC_FGD
    marks[likely[box] <= 1 - sure] = cv2.GC_BGD
    counts = np.bincount(marks.reshape(-1), minlength=4)
    unsure = counts[cv2.GC_PR_FGD] + counts[cv2.GC_PR_BGD]
    if not unsure or min(counts[cv2.GC_FGD], counts[cv2.GC_BGD]) < FEWEST:
        return decision
    cv2.setRNGSeed(0)  # the first Gaussians are drawn
    models = np.zeros((1, 65)), np.zeros((1, 65))
    seen = np.ascontiguousarray(picture[box])
    cv2.grabCut(seen, marks, None, *models, rounds, cv2.GC_INIT_WITH_MASK)  # type: ignore[call-overload]
    decision[box] = (marks == cv2.GC_FGD) | (marks == cv2.GC_PR_FGD)
    return decision


def _box(inside: NDArray[np.bool_]) -> tuple[slice, slice]:
    """The part of the image with these pixels, and a margin."""
    if not inside.any():
        return slice(0, 0), slice(0, 0)
    rows, columns = (np.flatnonzero(inside.any(axis=axis)) for axis in (1, 0))
    return _grown(rows), _grown(columns)


def _grown(places: NDArray[np.int64]) -> slice:
    return slice(max(0, int(places[0]) - _MARGIN), int(places[-1]) + 1 + _MARGIN)
