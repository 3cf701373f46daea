"""Exact outlines of masks: polygons along the edges of pixels, which enclose just their pixels.

The pixel in row r and column c covers [c, c + 1) × [r, r + 1) of x (right) and y (down).
"""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
from numba import njit
from numpy.typing import NDArray

Ring = NDArray[np.int64]
"""N×2 of the corners x, y; the last is joined to the first."""
Polygon = list[Ring]
"""An outline, and its holes."""
RIGHT = 0  # then down, left and up


def outlines(mask: NDArray[np.bool_]) -> list[Polygon]:
    """The 4-connected parts of HW as polygons, from the top. Rings do not cross or touch
    themselves; outlines turn clockwise as seen on the screen, holes the other way.
    """
    if not mask.any():
        return []
    labels = cv2.connectedComponents(mask.view(np.uint8), connectivity=4)[1]
    polygons: dict[int, Polygon] = {}
    holes: list[tuple[int, Ring]] = []
    for corners in _traced(mask):
        for ring in _simple(corners):
            label = int(labels[_pixel_beside(ring)])
            if _area(ring) > 0:
                polygons[label] = [ring]
            else:
                holes.append((label, ring))
    for label, ring in holes:
        polygons[label].append(ring)
    return list(polygons.values())


def _traced(mask: NDArray[np.bool_]) -> Iterator[Ring]:
    """Closed walks along the edges with the inside on the right, their corners alone; where two
    pixels touch aslant, a walk stays with its pixel.
    """
    edges = _edges(np.pad(mask, 1))
    left = edges[RIGHT].copy()
    buffer = np.empty((int(edges.sum()), 2), np.int64)
    for y, x in np.argwhere(left):
        if left[y, x]:
            count = _walk(edges, left, y, x, buffer)
            yield buffer[:count].copy()


def _edges(padded: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """4×(H+1)×(W+1): whether an edge leaves a corner of pixels in each direction."""
    above_left, above_right = padded[:-1, :-1], padded[:-1, 1:]
    below_left, below_right = padded[1:, :-1], padded[1:, 1:]
    return np.stack(
        [
            below_right & ~above_right,
            below_left & ~below_right,
            above_left & ~below_left,
            above_right & ~above_left,
        ]
    )


@njit(cache=True, nogil=True)
def _walk(
    edges: NDArray[np.bool_], left: NDArray[np.bool_], y: int, x: int, corners: NDArray[np.int64]
) -> int:
    """Follow edges from the upper left corner of a walk until it is reached again; edges to the
    right are taken from `left`. Returns the number of corners.
    """
    first, way, count = (y, x), 0, 0
    while True:
        if way == 0:
            left[y, x] = False
        x += (1, 0, -1, 0)[way]
        y += (0, 1, 0, -1)[way]
        after = way
        for turn in (1, 0, 3):
            after = (way + turn) % 4
            if edges[after, y, x]:
                break
        if after != way:
            corners[count, 0], corners[count, 1] = x, y
            count += 1
        way = after
        if (y, x) == first and way == 0:
            return count


def _simple(ring: Ring) -> Iterator[Ring]:
    """A walk cut at the corners that it visits twice."""
    seen: dict[tuple[int, int], int] = {}
    kept: list[tuple[int, int]] = []
    for x, y in ring.tolist():
        if (x, y) in seen:
            start = seen[x, y]
            yield np.array(kept[start:], np.int64)
            for each in kept[start + 1 :]:
                del seen[each]
            del kept[start + 1 :]
        else:
            seen[x, y] = len(kept)
            kept.append((x, y))
    yield np.array(kept, np.int64)


def _area(ring: Ring) -> int:
    """Twice the area, positive where the ring turns clockwise on the screen."""
    x, y = ring.T
    return int((x * np.roll(y, -1) - np.roll(x, -1) * y).sum())


def _pixel_beside(ring: Ring) -> tuple[int, int]:
    """Row and column of a pixel inside the mask that an edge to the right runs along."""
    after = np.roll(ring, -1, axis=0)
    place = int(np.argmax((after[:, 0] > ring[:, 0]) & (after[:, 1] == ring[:, 1])))
    return int(ring[place, 1]), int(ring[place, 0])
