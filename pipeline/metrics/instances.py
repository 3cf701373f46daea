"""Scores of objects: each true object is found, or not, by one predicted object with IoU > t.

Objects are disjoint and t is 0.50 or more, so at most one prediction can match a true object and
no assignment problem is left to solve.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array

from pipeline.data.ground_truth import Truth
from pipeline.errors import DataError
from pipeline.metrics.counts import exceeds, ratio

Labels = NDArray[np.int32]


def matches(decision: NDArray[np.bool_] | Labels, truth: Truth) -> NDArray[np.int64]:
    """Objects found, invented and missed, int64 (C, 10, 3): each class, each t = 0.50 … 0.95.

    decision: CHW; bool: the objects are its connected components (8 neighbours); int32: 0 = none,
    1.. = number of the object. Void pixels belong to no object.
    """
    if truth.instances is None:
        raise DataError(
            "this metric scores objects, and the data has only masks: give one mask file (or "
            "run-length row) per object, or choose a metric of pixels such as dice"
        )
    assert decision.shape == truth.instances.shape, f"{decision.shape}: not the truth's shape"
    pairs = zip(numbered_objects(decision), truth.instances, strict=True)
    return np.stack([_matched(predicted, true, truth.valid) for predicted, true in pairs])


def dsb(found: NDArray[np.int64]) -> NDArray[np.float64]:
    """TP / (TP + FP + FN) of objects, mean over t and classes; `matches` (..., C, 10, 3) -> (...).

    Both empty: 1; one empty: 0. Data Science Bowl 2018's page.
    """
    return np.asarray(ratio(found[..., 0], found.sum(axis=-1)).mean(axis=(-2, -1)))


def airbus(found: NDArray[np.int64]) -> NDArray[np.float64]:
    """F2 of objects, 5 TP / (5 TP + 4 FN + FP), mean over t and classes; (..., C, 10, 3) -> (...).

    Empty truth: 1 if no ship is predicted, else 0. Airbus Ship Detection's evaluation page.
    """
    true_positive = 5 * found[..., 0]
    whole = true_positive + 4 * found[..., 2] + found[..., 1]
    return np.asarray(ratio(true_positive, whole).mean(axis=(-2, -1)))


def overlaps(predicted: Labels, true: Labels) -> csr_array:
    """Pixels shared by each true (row) and predicted (column) number; rows and columns 0 unused.

    Sparse and linear in the pixels: a noisy decision has a hundred thousand specks.
    """
    both = (predicted > 0) & (true > 0)
    pairs = true[both], predicted[both]
    shape = int(true.max()) + 1, int(predicted.max()) + 1
    return coo_array((np.ones(len(pairs[0]), np.int64), pairs), shape=shape).tocsr()


def numbered_objects(decision: NDArray[np.bool_] | Labels) -> Labels:
    """Numbered objects, int32 CHW."""
    if decision.dtype == np.int32:
        return decision.astype(np.int32, copy=False)
    assert decision.dtype == np.bool_, f"{decision.dtype}: neither a decision nor numbered objects"
    planes = decision.view(np.uint8)
    return np.stack([cv2.connectedComponents(plane, connectivity=8)[1] for plane in planes])


def _matched(predicted: Labels, true: Labels, valid: NDArray[np.bool_] | None) -> NDArray[np.int64]:
    """Found, invented, missed objects of one plane at each t, (10, 3)."""
    if valid is not None:
        predicted, true = predicted * valid, true * valid
    true_area, predicted_area = np.bincount(true.ravel()), np.bincount(predicted.ravel())
    shared = overlaps(predicted, true).tocoo()
    union = true_area[shared.row] + predicted_area[shared.col] - shared.data
    found = exceeds(shared.data, union).sum(axis=0)
    invented = np.count_nonzero(predicted_area[1:]) - found
    return np.stack([found, invented, np.count_nonzero(true_area[1:]) - found], axis=1)
