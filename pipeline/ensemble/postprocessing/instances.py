"""From a blended decision to disjoint objects, for competitions that want a row an object."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

COUNTED_ROWS = 1024


def connected_instances(decision: NDArray[np.bool_]) -> NDArray[np.int32]:
    """The 8-connected components of each class, int32 CHW: 0 = none, 1.. = object.

    Objects that touch are one, unless the step `watershed` has cut the decision between them.
    """
    return np.stack([components(plane) for plane in decision])


def count_components(plane: NDArray[np.bool_], rows: int = COUNTED_ROWS) -> int:
    """How many 8-connected components HW has. Some rows at a time are labelled, so that the labels,
    four times the plane, never are whole in memory.
    """
    count, pairs = 0, [np.zeros((0, 2), np.int64)]
    above = np.zeros(plane.shape[1], np.int64)
    for top in range(0, len(plane), rows):
        labels = components(plane[top : top + rows])
        below = _numbered(labels[0], count)
        pairs += _touching(above, below)
        above = _numbered(labels[-1], count)
        count += int(labels.max(initial=0))
    same = np.concatenate(pairs) - 1
    links = coo_array((np.ones(len(same), bool), (same[:, 0], same[:, 1])), shape=(count, count))
    return int(connected_components(links, directed=False)[0])


def _numbered(labels: NDArray[np.int32], before: int) -> NDArray[np.int64]:
    """Labels that go on from `before`; 0 stays."""
    return np.where(labels, labels.astype(np.int64) + before, 0)


def _touching(above: NDArray[np.int64], below: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    """Pairs (P, 2) of labels that touch across two rows, straight or aslant."""
    for ones, others in ((above, below), (above[1:], below[:-1]), (above[:-1], below[1:])):
        both = (ones > 0) & (others > 0)
        yield np.unique(np.stack([ones[both], others[both]], axis=1), axis=0)


def components(plane: NDArray[np.bool_]) -> NDArray[np.int32]:
    """The 8-connected components of HW, numbered from 1."""
    labels = cv2.connectedComponents(plane.view(np.uint8), connectivity=8)[1]
    return np.asarray(labels, np.int32)
