"""Cut touching objects apart along the valleys of the blended map."""

from __future__ import annotations

from heapq import heappop, heappush

import cv2
import numpy as np
from numba import njit
from numpy.typing import NDArray

from pipeline.ensemble.postprocessing.instances import components

CANDIDATES = (0.95, 0.9, 0.85, 0.8, 0.75, 0.7)
BY_OUTPUT = (0.8, 0.7, 0.6, 0.5, 0.4, 0.3)


def watershed(
    decision: NDArray[np.bool_], probability: NDArray[np.float32], value: float
) -> NDArray[np.bool_]:
    """Remove a line of one pixel between the objects that `watershed_objects` tells apart.

    What is left has an 8-connected component an object, so metrics of objects and submissions with
    a row an object see the same ones, and no numbers have to be passed on.
    """
    objects = watershed_objects(decision, probability, value)
    return np.stack([_cut(plane) for plane in objects])


def watershed_objects(
    decision: NDArray[np.bool_], probability: NDArray[np.float32], core: float
) -> NDArray[np.int32]:
    """The decision as objects, each pixel in one: int32 CHW, 0 = none, 1.. = object.

    Each 8-connected component of probability >= `core` inside the decision is the seed of an
    object, and the decided pixels join the seeds in order of falling probability (F. Meyer, "Color
    image segmentation", 1992). A component without a seed stays one object.
    """
    pairs = zip(decision, probability, strict=True)
    return np.stack([_flooded(plane, likely, core) for plane, likely in pairs])


def _cut(labels: NDArray[np.int32]) -> NDArray[np.bool_]:
    """Where no neighbour has a higher number: of two pixels that touch, one goes."""
    highest = cv2.dilate(labels.astype(np.float64), np.ones((3, 3), np.uint8))
    inside: NDArray[np.bool_] = (labels > 0) & (labels == highest)
    return inside


def _flooded(
    plane: NDArray[np.bool_], likely: NDArray[np.float32], core: float
) -> NDArray[np.int32]:
    whole, certain = components(plane), plane & (likely >= core)
    labels = components(certain)
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
