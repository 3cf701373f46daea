"""Skeletons of masks by thinning (Zhang and Suen 1984)."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]

_PLACE_OF_BIT = ((0, 1), (0, 2), (1, 2), (2, 2), (2, 1), (2, 0), (1, 0), (0, 0))
"""Row and column of each neighbour, clockwise from the one above."""
_KERNEL = np.zeros((3, 3), np.float32)
for _bit, _place in enumerate(_PLACE_OF_BIT):
    _KERNEL[_place] = 1 << _bit


def _removable(second: bool) -> NDArray[np.uint8]:
    """By the code of a pixel's neighbours, 0 where the pixel goes in a half step and 1 else."""
    table = np.ones(256, np.uint8)
    for code in range(256):
        ring = [code >> bit & 1 for bit in range(8)]
        changes = sum(ring[bit] < ring[(bit + 1) % 8] for bit in range(8))
        north, east, south, west = ring[::2]
        if second:
            edge = not (north and east and west) and not (north and south and west)
        else:
            edge = not (north and east and south) and not (east and south and west)
        table[code] = not (2 <= sum(ring) <= 6 and changes == 1 and edge)
    return table


_TABLES = (_removable(second=False), _removable(second=True))


def skeleton(mask: Mask) -> Mask:
    """Lines of one pixel's width in the middle of a mask; HW. Every object keeps a pixel at least.

    Objects that thinning removes, such as squares of 2×2 pixels, stay as they are.
    """
    if not mask.any():
        return mask
    top, left, height, width = _bounds(mask)
    box = np.s_[top : top + height, left : left + width]
    whole = np.pad(mask[box].astype(np.uint8), 1)
    thin = _thinned(whole)
    count, objects = cv2.connectedComponents(whole, connectivity=8)
    lost = np.ones(count, bool)
    lost[objects[thin > 0]] = lost[0] = False
    result = np.zeros_like(mask)
    result[box] = ((thin > 0) | lost[objects])[1:-1, 1:-1]
    return result


def _bounds(mask: Mask) -> tuple[int, int, int, int]:
    left, top, width, height = cv2.boundingRect(mask.astype(np.uint8))
    return top, left, height, width


def _thinned(whole: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """uint8 0/1, HW with a border of 0."""
    left, before = cv2.countNonZero(whole), 0
    while left != before:
        before = left
        for table in _TABLES:
            codes = cv2.filter2D(whole, -1, _KERNEL, borderType=cv2.BORDER_CONSTANT)
            whole = np.asarray(cv2.bitwise_and(whole, cv2.LUT(codes, table)), np.uint8)
        left = cv2.countNonZero(whole)
    return whole
