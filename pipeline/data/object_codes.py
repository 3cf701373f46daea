"""Objects as small numbers, so that they go through augmentation like any plane of a mask."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

MOST_CODES = 255


def object_codes(instances: NDArray[np.int32]) -> NDArray[np.uint8]:
    """uint8 of the same shape (CHW): 0 = none; objects that touch have different numbers.

    Where there are more than 255 objects, some that do not touch share a number.
    """
    return np.stack([_codes(plane) for plane in instances])


def _codes(plane: NDArray[np.int32]) -> NDArray[np.uint8]:
    numbers, dense = np.unique(plane, return_inverse=True)
    dense = dense.reshape(plane.shape) + (numbers[0] != 0)
    count = int(dense.max())
    table = np.arange(count + 1)
    if count > MOST_CODES:
        table = groups_of(dense, count, spread=MOST_CODES)
    return np.asarray(table[dense], np.uint8)


def groups_of(labels: NDArray[np.integer], count: int, spread: int = 1) -> NDArray[np.int64]:
    """A group (1, 2, …) for each label 0..count, 0 for 0: objects of one group do not touch.

    spread: how many groups are dealt out in turn before those of neighbours are looked at.
    """
    before: dict[int, set[int]] = {}
    for one, other in _touching(labels):
        before.setdefault(max(one, other), set()).add(min(one, other))
    groups = np.where(np.arange(count + 1) > 0, (np.arange(count + 1) - 1) % spread + 1, 0)
    for number in sorted(before):
        taken = {int(groups[each]) for each in before[number]}
        while int(groups[number]) in taken:
            groups[number] = groups[number] % MOST_CODES + 1
    return groups


def _touching(labels: NDArray[np.integer]) -> list[tuple[int, int]]:
    """Pairs of different objects with neighbouring pixels, straight or aslant."""
    pairs = []
    for one, other in (
        (labels[1:], labels[:-1]),
        (labels[:, 1:], labels[:, :-1]),
        (labels[1:, 1:], labels[:-1, :-1]),
        (labels[1:, :-1], labels[:-1, 1:]),
    ):
        meet = (one != other) & (one > 0) & (other > 0)
        pairs.append(np.stack([one[meet], other[meet]], axis=1))
    return [(int(one), int(other)) for one, other in np.unique(np.concatenate(pairs), axis=0)]


def fit_codes(codes: NDArray[np.uint8], planes: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Codes at the size of planes of 0/1 (CHW each): none outside, and some in every pixel inside.

    Pixels that a resized mask has gained belong to an object beside them.
    """
    size = planes.shape[:0:-1]
    fitted = []
    for code, plane in zip(codes, planes, strict=True):
        near = cv2.resize(code, size, interpolation=cv2.INTER_NEAREST)
        beside = cv2.dilate(near, np.ones((3, 3), np.uint8))
        fitted.append(np.where(plane > 0, np.where(near > 0, near, beside), 0))
    return np.stack(fitted).astype(np.uint8)


def labelled(codes: NDArray[np.integer]) -> tuple[int, NDArray[np.int32]]:
    """The connected pixels of the same code (HW, 0 = none), numbered: the largest number, and HW.

    Pixels that touch aslant are connected where no other object passes between them. Each pixel is
    a node of a grid of twice the size, and what connects two is a node between them.
    """
    height, width = codes.shape
    grid = np.zeros((2 * height - 1, 2 * width - 1), np.uint8)
    inside = codes > 0
    grid[::2, ::2] = inside
    grid[::2, 1::2] = inside[:, 1:] & (codes[:, 1:] == codes[:, :-1])
    grid[1::2, ::2] = inside[1:] & (codes[1:] == codes[:-1])
    grid[1::2, 1::2] = _aslant(codes) | _aslant(codes[:, ::-1])[:, ::-1]
    count, labels = cv2.connectedComponents(grid, connectivity=8)
    return count - 1, np.ascontiguousarray(labels[::2, ::2])


def _aslant(codes: NDArray[np.integer]) -> NDArray[np.bool_]:
    """Where a pixel and the next one in the next row are one object, with no other one between."""
    first, last = codes[:-1, :-1], codes[1:, 1:]
    between = (codes[:-1, 1:], codes[1:, :-1])
    joined: NDArray[np.bool_] = (first > 0) & (first == last)
    for each in between:
        joined &= (each == 0) | (each == first)
    return joined
