"""Gaussian filter in a space of few dimensions, on the permutohedral lattice.

A. Adams, J. Baek, M. A. Davis, "Fast High-Dimensional Filtering Using the Permutohedral Lattice",
Eurographics 2010. Values are spread over the corners of the simplex around each point, blurred
along the lattice's directions, and gathered again. Some 50 bytes a point, and 60 a lattice point.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

_SEED = 0


@dataclass(frozen=True)
class Lattice:
    """Of N points in D dimensions: corners int32 (N, D + 1), their shares float32 (N, D + 1), and
    the two neighbours of each lattice point along each direction, int32 (D + 1, M, 2), -1 = none.
    """

    corners: NDArray[np.int32]
    shares: NDArray[np.float32]
    neighbours: NDArray[np.int32]

    @classmethod
    def of(cls, points: NDArray[np.float32]) -> Lattice:
        """points: (N, D), in units of the filter's standard deviation."""
        dimensions = points.shape[1]
        # A sum of coordinates with random factors names a lattice point, so that a neighbour's name
        # is a sum, too. Of millions of points no two share one of 2^64 names.
        random = np.random.default_rng(_SEED)
        factors = random.integers(1 << 62, size=dimensions, dtype=np.int64) * 2 + 1
        corners, shares, names = _place(np.ascontiguousarray(points, np.float32), factors)
        return cls(corners, shares, _neighbours(names, factors))

    def filter(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """Sums of values (N,) with Gaussian weights, up to a factor that is the same for all."""
        count = self.neighbours.shape[1]
        return np.asarray(_filter(values, self.corners, self.shares, self.neighbours, count))


@njit(nogil=True, cache=True)
def _slot(name, mask):  # type: ignore[no-untyped-def]
    mixed = name ^ (name >> 29)
    mixed *= np.int64(-4658895280553007687)
    return (mixed ^ (mixed >> 32)) & mask


@njit(nogil=True, cache=True)
def _find(names, numbers, name):  # type: ignore[no-untyped-def]
    """The slot of a name in an open table, or the empty one where it belongs."""
    mask = len(names) - 1
    slot = _slot(name, mask)
    while numbers[slot] >= 0 and names[slot] != name:
        slot = (slot + 1) & mask
    return slot


@njit(nogil=True, cache=True)
def _enlarged(names, numbers):  # type: ignore[no-untyped-def]
    larger, of_larger = np.empty(2 * len(names), np.int64), np.full(2 * len(names), -1, np.int32)
    for slot in range(len(names)):
        if numbers[slot] >= 0:
            place = _find(larger, of_larger, names[slot])
            larger[place], of_larger[place] = names[slot], numbers[slot]
    return larger, of_larger


@njit(nogil=True, cache=True)
def _place(points, factors):  # type: ignore[no-untyped-def]
    """Corners and shares of points, and the name of each lattice point, int64 (M,)."""
    count, d = points.shape
    corners, shares = np.empty((count, d + 1), np.int32), np.empty((count, d + 1), np.float32)
    scale = np.empty(d)
    for i in range(d):
        scale[i] = (d + 1) * np.sqrt(2.0 / 3.0) / np.sqrt((i + 1.0) * (i + 2.0))
    names, numbers = np.empty(1024, np.int64), np.full(1024, -1, np.int32)
    used = 0
    lifted, nearest = np.empty(d + 1), np.empty(d + 1, np.int64)
    rank, weight = np.empty(d + 1, np.int64), np.empty(d + 2)
    for point in range(count):
        # Onto the plane of coordinates that sum to 0.
        total = 0.0
        for i in range(d, 0, -1):
            here = points[point, i - 1] * scale[i - 1]
            lifted[i] = total - i * here
            total += here
        lifted[0] = total
        # The nearest lattice point of remainder 0, and the order of what is left.
        excess = 0
        for i in range(d + 1):
            multiple = int(np.floor(lifted[i] / (d + 1) + 0.5))
            nearest[i], rank[i] = multiple * (d + 1), 0
            excess += multiple
        for i in range(d):
            for j in range(i + 1, d + 1):
                if lifted[i] - nearest[i] < lifted[j] - nearest[j]:
                    rank[i] += 1
                else:
                    rank[j] += 1
        for i in range(d + 1):
            rank[i] += excess
            if rank[i] < 0:
                rank[i] += d + 1
                nearest[i] += d + 1
            elif rank[i] > d:
                rank[i] -= d + 1
                nearest[i] -= d + 1
        weight[:] = 0
        for i in range(d + 1):
            part = (lifted[i] - nearest[i]) / (d + 1)
            weight[d - rank[i]] += part
            weight[d + 1 - rank[i]] -= part
        weight[0] += 1 + weight[d + 1]
        for remainder in range(d + 1):
            name = np.int64(0)
            for i in range(d):
                step = remainder if rank[i] <= d - remainder else remainder - (d + 1)
                name += factors[i] * (nearest[i] + step)
            slot = _find(names, numbers, name)
            if numbers[slot] < 0:
                names[slot], numbers[slot] = name, used
                used += 1
                if 2 * used > len(names):
                    names, numbers = _enlarged(names, numbers)
                    slot = _find(names, numbers, name)
            corners[point, remainder] = numbers[slot]
            shares[point, remainder] = weight[remainder]
    by_number = np.empty(used, np.int64)
    for slot in range(len(names)):
        if numbers[slot] >= 0:
            by_number[numbers[slot]] = names[slot]
    return corners, shares, by_number


@njit(nogil=True, cache=True)
def _neighbours(by_number, factors):  # type: ignore[no-untyped-def]
    size = 1024
    while size < 2 * len(by_number):
        size *= 2
    names, numbers = np.empty(size, np.int64), np.full(size, -1, np.int32)
    for number in range(len(by_number)):
        slot = _find(names, numbers, by_number[number])
        names[slot], numbers[slot] = by_number[number], number
    d = len(factors)
    found = np.empty((d + 1, len(by_number), 2), np.int32)
    for direction in range(d + 1):
        step = np.int64(0)
        for i in range(d):
            step += factors[i] * (-d if i == direction else 1)
        for number in range(len(by_number)):
            name = by_number[number]
            found[direction, number, 0] = numbers[_find(names, numbers, name + step)]
            found[direction, number, 1] = numbers[_find(names, numbers, name - step)]
    return found


@njit(nogil=True, cache=True)
def _filter(values, corners, shares, neighbours, count):  # type: ignore[no-untyped-def]
    spread, blurred = np.zeros(count, np.float32), np.empty(count, np.float32)
    for point in range(len(values)):
        for corner in range(corners.shape[1]):
            spread[corners[point, corner]] += shares[point, corner] * values[point]
    for direction in range(len(neighbours)):
        for number in range(count):
            before, after = neighbours[direction, number]
            around = np.float32(0)
            if before >= 0:
                around += spread[before]
            if after >= 0:
                around += spread[after]
            blurred[number] = np.float32(0.5) * spread[number] + np.float32(0.25) * around
        spread, blurred = blurred, spread
    gathered = np.zeros(len(values), np.float32)
    for point in range(len(values)):
        for corner in range(corners.shape[1]):
            gathered[point] += shares[point, corner] * spread[corners[point, corner]]
    return gathered
