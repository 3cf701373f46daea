"""Errors of objects: missed ones, and ones that are merged with a neighbour."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pipeline.data.ground_truth import Truth
from pipeline.metrics.instances import Labels, numbered_objects, overlaps

FAULTS = ("in the ground truth", "counted", "found", "missed", "merged")


def object_faults(decision: NDArray[np.bool_], truth: Truth) -> NDArray[np.int64]:
    """Objects of one image by FAULTS, int64 (C, 5); decision: bool CHW. Void belongs to no object.

    counted: connected components (8 neighbours) of the decision; found: matched with IoU > 0.5;
    missed: less than half of its pixels are decided; merged: more than half of it lies in a
    component that holds more than half of another object, too.
    """
    assert truth.instances is not None, "objects are unknown"
    pairs = zip(numbered_objects(decision), truth.instances, strict=True)
    return np.array([_of_plane(*pair, truth.valid) for pair in pairs], np.int64).reshape(-1, 5)


def _of_plane(predicted: Labels, true: Labels, valid: NDArray[np.bool_] | None) -> list[int]:
    if valid is not None:
        predicted, true = predicted * valid, true * valid
    true_area, predicted_area = np.bincount(true.ravel()), np.bincount(predicted.ravel())
    shared = overlaps(predicted, true).tocoo()
    row, column, pixels = shared.row, shared.col, shared.data
    union = true_area[row] + predicted_area[column] - pixels
    covered = np.bincount(row, weights=pixels, minlength=len(true_area))
    held = column[2 * pixels > true_area[row]]  # an object's component, at most one of each
    together = np.bincount(held)
    return [
        int(np.count_nonzero(true_area[1:])),
        int(np.count_nonzero(predicted_area[1:])),
        int(np.count_nonzero(2 * pixels > union)),
        int(np.count_nonzero(2 * covered[1:] < true_area[1:])),
        int(together[together > 1].sum()),
    ]
