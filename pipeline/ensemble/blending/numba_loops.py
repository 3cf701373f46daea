"""The compiled inner loops over pixels; each becomes a few vector instructions.

a .. e: uint8 or uint16 (P,), a part of five members' maps; u .. y: uint32, their weights. `fresh`:
sums start at 0, and not at what `sums` holds.

All loops that call another live in this file: Numba's cache on disk notices a change of the file
that a function is in, not of the ones that it calls.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from pipeline.ensemble.blending.fixed_point import ONE

MEMBERS_PER_PASS = 5
CACHED_PIXELS = 4096  # sums that stay in the L1 cache


@njit(nogil=True, cache=True)
def add_five(sums, fresh, a, b, c, d, e, u, v, w, x, y):  # type: ignore[no-untyped-def]
    """sums uint32 (P,) += the weighted sum of five members."""
    for i in range(sums.size):
        total = a[i] * u + b[i] * v + c[i] * w + d[i] * x + e[i] * y
        sums[i] = total if fresh else sums[i] + total


@njit(nogil=True, cache=True)
def reaches_five(out, sums, fresh, limit, a, b, c, d, e, u, v, w, x, y):  # type: ignore[no-untyped-def]
    """out bool (P,) = whether sums and the weighted sum of five members reach a limit."""
    for i in range(out.size):
        total = np.uint32(a[i] * u + b[i] * v + c[i] * w + d[i] * x + e[i] * y)
        out[i] = (total if fresh else np.uint32(sums[i] + total)) >= limit


@njit(nogil=True, cache=True)
def differing_bytes(ones, others, places):  # type: ignore[no-untyped-def]
    """places int64 = those of the bytes, of little-endian uint64 words, that differ; how many."""
    found = 0
    for word in range(ones.size):
        difference = ones[word] ^ others[word]
        if difference != 0:
            for byte in range(8):
                if (difference >> np.uint64(8 * byte)) & np.uint64(0xFF):
                    places[found] = 8 * word + byte
                    found += 1
    return found


@njit(nogil=True, cache=True)
def add_by_table(sums, values, table, weight):  # type: ignore[no-untyped-def]
    """sums uint32 (P,) += a weighted member whose numbers a table (codes,) replaces."""
    for i in range(sums.size):
        sums[i] += table[values[i]] * weight


@njit(nogil=True, cache=True)
def add_members(sums, values, start, stride, members, weights):  # type: ignore[no-untyped-def]
    """sums uint32 (P,) = the weighted sum of flat values[start + member * stride ...].

    members, weights: (a multiple of five,).
    """
    for first in range(0, members.size, MEMBERS_PER_PASS):
        a = _row(values, start + members[first] * stride, sums.size)
        b = _row(values, start + members[first + 1] * stride, sums.size)
        c = _row(values, start + members[first + 2] * stride, sums.size)
        d = _row(values, start + members[first + 3] * stride, sums.size)
        e = _row(values, start + members[first + 4] * stride, sums.size)
        u, v, w = weights[first], weights[first + 1], weights[first + 2]
        x, y = weights[first + 3], weights[first + 4]
        add_five(sums, first == 0, a, b, c, d, e, u, v, w, x, y)


@njit(nogil=True, cache=True)
def _row(values, start, size):  # type: ignore[no-untyped-def]
    return values[start : start + size]


@njit(nogil=True, cache=True)
def count_passing(values, starts, lengths, members, weights, shift, reached):  # type: ignore[no-untyped-def]
    """reached int32 (segments, levels) += how many pixels of each segment reach each level."""
    block = np.empty(CACHED_PIXELS, np.uint32)
    for segment in range(starts.size):
        histogram = reached[segment]
        for first in range(0, lengths[segment], CACHED_PIXELS):
            sums = block[: min(CACHED_PIXELS, lengths[segment] - first)]
            place = starts[segment] + first
            add_members(sums, values, place, lengths[segment], members, weights)
            for i in range(sums.size):
                histogram[sums[i] >> shift] += 1
        for level in range(histogram.size - 2, -1, -1):
            histogram[level] += histogram[level + 1]


@njit(nogil=True, cache=True)
def add_moments(  # type: ignore[no-untyped-def]
    values, starts, lengths, strides, truths, members, weights, scale, out
):
    """out (segments, M, 6) += count and sums of x, y, xx, yy, xy of errors; see `correlation`."""
    block = np.empty(CACHED_PIXELS, np.uint32)
    for segment in range(starts.size):
        start, length, stride = starts[segment], lengths[segment], strides[segment]
        truth = truths[segment]
        for first in range(0, length, CACHED_PIXELS):
            sums = block[: min(CACHED_PIXELS, length - first)]
            add_members(sums, values, start + first, stride, members, weights)
            for member in range(out.shape[1]):
                place = start + member * stride + first
                totals = out[segment, member]
                totals[0] += sums.size
                for i in range(sums.size):
                    own = values[place + i] / scale - truth
                    blended = sums[i] / (scale * ONE) - truth
                    totals[1] += own
                    totals[2] += blended
                    totals[3] += own * own
                    totals[4] += blended * blended
                    totals[5] += own * blended


@njit(nogil=True, cache=True)
def count_winners(values, starts, lengths, members, weights, scales, decided):  # type: ignore[no-untyped-def]
    """decided (segments, S, C) += the pixels that each choice of scales (S, C) gives each class.

    The largest sum times scale wins; of equal ones the first.
    """
    classes = scales.shape[1]
    swept = _only_varied(scales)
    block = np.empty((classes, CACHED_PIXELS), np.uint32)
    best = np.empty(CACHED_PIXELS, np.uint64)
    winner = np.empty(CACHED_PIXELS, np.int64)
    for segment in range(starts.size):
        length = lengths[segment]
        for first in range(0, length, CACHED_PIXELS):
            size = min(CACHED_PIXELS, length - first)
            for plane in range(classes):
                start = starts[segment] + plane * length + first
                sums = block[plane, :size]
                add_members(sums, values, start, classes * length, members, weights)
            sums, top, leader = block[:, :size], best[:size], winner[:size]
            if swept >= 0:
                _lead(sums, scales[0], swept, top, leader)
                _count_swept(sums[swept], scales[:, swept], swept, top, leader, decided[segment])
                continue
            for choice in range(len(scales)):
                _lead(sums, scales[choice], -1, top, leader)
                for i in range(size):
                    decided[segment, choice, leader[i]] += 1


@njit(nogil=True, cache=True)
def _only_varied(scales):  # type: ignore[no-untyped-def]
    """The one class whose scale is not the same in all of several choices, or -1."""
    found = -1
    for plane in range(scales.shape[1]):
        if (scales[:, plane] != scales[0, plane]).any():
            if found >= 0:
                return -1
            found = plane
    return found


@njit(nogil=True, cache=True)
def _lead(block, scales, left_out, best, winner):  # type: ignore[no-untyped-def]
    """best, winner (P,) = the largest scaled sum, and its class, of all but the one left out."""
    best[:] = 0
    winner[:] = 0
    for plane in range(len(block)):
        if plane != left_out:
            for i in range(best.size):
                scaled = block[plane, i] * scales[plane]
                if scaled > best[i]:
                    best[i] = scaled
                    winner[i] = plane


@njit(nogil=True, cache=True)
def _count_swept(sums, scales, swept, best, winner, decided):  # type: ignore[no-untyped-def]
    """decided (S, C) += pixels by class where one class, of each scale, meets the best others."""
    for i in range(best.size):
        best[i] += np.uint64(winner[i] < swept)  # which of equal ones is first
    for choice in range(scales.size):
        row = decided[choice]
        for i in range(best.size):
            won = sums[i] * scales[choice] >= best[i]
            row[swept if won else winner[i]] += 1
