"""Polygons for tests: drawn slowly and surely, and odd ones to draw."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def slow_polygon(rings: Sequence[np.ndarray], size: tuple[int, int]) -> np.ndarray:
    """Bool HW: for each pixel, an odd number of edges is at, or left of, its centre."""
    mask = np.zeros(size, bool)
    for row in range(size[0]):
        for column in range(size[1]):
            mask[row, column] = sum(_crossings(ring, column + 0.5, row + 0.5) for ring in rings) % 2
    return mask


def _crossings(ring: np.ndarray, x: float, y: float) -> int:
    count = 0
    for one, other in zip(ring, np.roll(ring, -1, axis=0), strict=True):
        (x0, y0), (x1, y1) = sorted([tuple(one), tuple(other)], key=lambda point: point[1])
        if y0 <= y < y1:
            count += x0 + (y - y0) / (y1 - y0) * (x1 - x0) <= x
    return count


def star(random: np.random.Generator, size: tuple[int, int], points: int = 13) -> np.ndarray:
    """N×2 of x, y: a shape with bays, within an image of that H, W."""
    turns = np.sort(random.uniform(0, 2 * np.pi, points))
    reach = random.uniform(0.25, 0.48, points)[:, None] * min(size)
    around = np.stack([np.cos(turns), np.sin(turns)], axis=1)
    return np.array([size[1] / 2, size[0] / 2]) + around * reach
