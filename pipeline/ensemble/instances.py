"""From a blended decision to disjoint objects, for competitions that want a row an object."""

from __future__ import annotations

from heapq import heappop, heappush

import cv2
import numpy as np
from numba import njit
from numpy.typing import NDArray


def connected_instances(decision: NDArray[np.bool_]) -> NDArray[np.int32]:
    """The 8-connected components of each class, int32 CHW: 0 = none, 1.. = object."""
    return np.stack([_components(plane) for plane in decision])


def watershed_instances(
    decision: NDArray[np.bool_], probability: NDArray[np.float32], core: float
) -> NDArray[np.int32]:
    """Objects that touch, cut apart along the valleys of the blended map; int32 CHW.

    Each 8-connected component of probability >= `core` inside the decision is the seed of an
    object, and the decided pixels join the seeds in order of falling probability (F. Meyer, "Color
    image segmentation", 1992). A component without a seed stays one object, so that the objects
    together are the decision.
    """
    pairs = zip(decision, probability, strict=True)
    return np.stack([_watershed(plane, likely, core) for plane, likely in pairs])


def _components(plane: NDArray[np.bool_]) -> NDArray[np.int32]:
    labels = cv2.connectedComponents(plane.view(np.uint8), connectivity=8)[1]
    return np.asarray(labels, np.int32)


def _watershed(
    plane: NDArray[np.bool_], likely: NDArray[np.float32], core: float
) -> NDArray[np.int32]:
    whole, certain = _components(plane), plane & (likely >= core)
    labels = _components(certain)
    seeded = np.zeros(whole.max() + 1, bool)
    seeded[whole[certain]] = True
    # Components without a seed are numbered after the seeds, without gaps.
    numbers = (np.cumsum(~seeded[1:]) + labels.max()).astype(np.int32)
    alone = plane & ~seeded[whole]
    labels[alone] = numbers[whole[alone] - 1]
    _flood(labels, plane, np.ascontiguousarray(likely))
    return np.asarray(labels, np.int32)


@njit(nogil=True, cache=True)
def _flood(labels, plane, likely):  # type: ignore[no-untyped-def]
    """Give every decided pixel the label that reaches it along the likeliest path."""
    height, width = labels.shape
    queue = [(np.float32(0), 0, 0)]
    queue.clear()
    for place in range(labels.size):
        y, x = place // width, place % width
        if labels[y, x]:
            queue.append((np.float32(-1), place, place))
    # Seeds are equal and in order: already a heap. Ties go by order of arrival.
    arrived = labels.size
    while queue:
        worst, _, place = heappop(queue)
        y, x = place // width, place % width
        for v in range(max(y - 1, 0), min(y + 2, height)):
            for u in range(max(x - 1, 0), min(x + 2, width)):
                if plane[v, u] and not labels[v, u]:
                    labels[v, u] = labels[y, x]
                    arrived += 1
                    heappush(queue, (max(worst, -likely[v, u]), arrived, v * width + u))
