"""Draws regions on the pixels of an image.

The one rule: a pixel belongs to a region if its centre does. The pixel in row r and column c covers
[c, c + 1) × [r, r + 1) of the coordinates x (right) and y (down), so its centre is at
(c + 0.5, r + 0.5). Centres on an outline belong to the region right of, or below, that outline, so
that of two regions that share an outline each pixel belongs to exactly one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from pipeline.size import Size

Ring = NDArray[np.float64]
"""N×2 of x, y; the last point is joined to the first."""


@dataclass(frozen=True)
class Window:
    """A part of an image, and where in it a region is."""

    top: int
    left: int
    inside: NDArray[np.bool_]
    """HW of the window."""

    @property
    def place(self) -> tuple[slice, slice]:
        """Rows and columns of the image."""
        height, width = self.inside.shape
        return slice(self.top, self.top + height), slice(self.left, self.left + width)


def draw_rings(rings: Sequence[Ring], size: Size) -> Window:
    """What an odd number of rings surrounds (the even-odd rule), within an image of that H, W.

    So a ring within another is a hole, and what a ring that crosses itself surrounds twice is
    outside.
    """
    points = np.concatenate(rings)
    low, high = points.min(axis=0), points.max(axis=0)
    left, top = np.maximum(_first_at(low), 0).astype(int).tolist()
    right, bottom = np.minimum(_first_at(high), (size[1], size[0])).astype(int).tolist()
    crossed = np.zeros((max(0, bottom - top), max(0, right - left)), np.uint8)
    if crossed.size:
        for ring in rings:
            _cross(crossed, ring, top, left)
        _fill(crossed)
    return Window(top, left, crossed.view(np.bool_))


def draw_ellipse(
    centre: tuple[float, float], radii: tuple[float, float], angle: float, size: Size
) -> Window:
    """An ellipse at x, y; its radii along x and y before it is turned by `angle` (radians, from x
    towards y).
    """
    (x, y), reach = centre, max(radii)
    left, top = (max(0, int(each)) for each in (x - reach, y - reach))
    right, bottom = (max(0, int(each) + 1) for each in (x + reach, y + reach))
    rows = np.arange(top, min(bottom, size[0]))[:, None] + 0.5 - y
    columns = np.arange(left, min(right, size[1]))[None] + 0.5 - x
    along = columns * np.cos(angle) + rows * np.sin(angle)
    across = rows * np.cos(angle) - columns * np.sin(angle)
    return Window(top, left, np.asarray((along / radii[0]) ** 2 + (across / radii[1]) ** 2 <= 1))


def _first_at(coordinates: Ring) -> NDArray[np.float64]:
    """The first row or column whose centre is there or beyond."""
    return np.ceil(coordinates - 0.5)


@njit(cache=True, nogil=True)
def _cross(crossed: NDArray[np.uint8], ring: Ring, top: int, left: int) -> None:
    """Flip, in each row, the first pixel whose centre is not left of an edge that passes the row.

    An edge is walked from its upper end whichever way the ring goes, so that regions that share an
    edge agree about it to the last bit.
    """
    height, width = crossed.shape
    count = len(ring)
    for index in range(count):
        x0, y0 = ring[index]
        x1, y1 = ring[(index + 1) % count]
        if y0 > y1:
            x0, y0, x1, y1 = x1, y1, x0, y0
        first = max(int(np.ceil(y0 - 0.5)), top)
        last = min(int(np.ceil(y1 - 0.5)), top + height)
        for row in range(first, last):
            share = (row + 0.5 - y0) / (y1 - y0)
            column = int(np.ceil(x0 + share * (x1 - x0) - 0.5)) - left
            if column < width:
                crossed[row - top, max(column, 0)] ^= 1


@njit(cache=True, nogil=True)
def _fill(crossed: NDArray[np.uint8]) -> None:
    """Inside, in each row, is what an odd number of edges is left of."""
    height, width = crossed.shape
    for row in range(height):
        inside = np.uint8(0)
        for column in range(width):
            inside ^= crossed[row, column]
            crossed[row, column] = inside
