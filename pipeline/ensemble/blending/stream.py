"""Weighted sums of M quantised maps: one pass over their bytes, in blocks that stay in the cache.

Maps are CHW views (memory maps as a rule) of one shape and type. The sums are integers
(`fixed.py`), so that results are equal whatever the blocks and threads.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from pipeline.ensemble.blending.fixed_point import integer_weights, top
from pipeline.ensemble.blending.means import Mean
from pipeline.ensemble.blending.numba_loops import (
    MEMBERS_PER_PASS,
    add_by_table,
    add_five,
    reaches_five,
)
from pipeline.ensemble.blending.threads import spans, thread_count, thread_pool
from pipeline.errors import ArtefactError

# Pixels of a block: 4 MiB of sums, which wait for the next members in the L3 cache. Smaller ones
# would wait in the L2, but threads hand the interpreter to each other after every call of compiled
# code, and that takes as long as 100,000 pixels do.
BLOCK_PIXELS = 1 << 20

StoredMaps = Sequence[NDArray[Any]]
Sums = NDArray[np.uint32]


class BlendSource(Protocol):
    """Weighted sums of some members, to be had block by block.

    shape: CHW; scale: the integer type on whose scale the sums are (its top times ONE means 1).
    """

    @property
    def shape(self) -> tuple[int, ...]: ...

    @property
    def scale(self) -> np.dtype[Any]: ...

    def add(self, plane: int, part: slice, sums: Sums) -> None:
        """sums = the weighted sums of a part of a class plane."""

    def reaches(
        self, plane: int, part: slice, sums: Sums, limit: int, out: NDArray[np.bool_]
    ) -> None:
        """out = where the weighted sums reach a limit; `sums` is for work in between."""


class WeightedMaps:
    """The members of one blend as (C, pixels) rows: a `BlendSource`."""

    def __init__(self, maps: StoredMaps, weights: Sequence[float], mean: Mean) -> None:
        _check_alike(maps)
        if len(weights) != len(maps):
            raise ArtefactError(f"{len(maps)} maps cannot be blended with {len(weights)} weights")
        shares = integer_weights(weights)
        used = np.flatnonzero(shares).tolist()
        self.shape: tuple[int, ...] = maps[0].shape
        self.scale = mean.scale_type(maps[0].dtype)
        top(self.scale)
        self._rows = [_rows(maps[member]) for member in used]
        self._tables = [mean.table(member) for member in used]
        self._weights = shares[used]
        # A repeated row with weight 0 costs no memory traffic: it is in the cache already.
        missing = -len(used) % MEMBERS_PER_PASS
        self._padded = [*self._rows, *self._rows[-1:] * missing]
        self._padding = [*self._weights, *[np.uint32(0)] * missing]

    def add(self, plane: int, part: slice, sums: Sums) -> None:
        """sums = the weighted sums of a part of a class plane."""
        if self._tables[0] is None:
            for first, members in self._groups(plane, part):
                add_five(sums, first, *members)
            return
        sums[:] = 0
        for rows, weight, table in zip(self._rows, self._weights, self._tables, strict=True):
            add_by_table(sums, rows[plane, part], table, weight)

    def reaches(
        self, plane: int, part: slice, sums: Sums, limit: int, out: NDArray[np.bool_]
    ) -> None:
        """out = where the weighted sums reach a limit; `sums` is for work in between."""
        if self._tables[0] is not None:
            self.add(plane, part, sums)
            np.greater_equal(sums, np.uint32(limit), out=out)
            return
        # The last members' sums are compared at once, not stored.
        *groups, (first, members) = self._groups(plane, part)
        for earlier, others in groups:
            add_five(sums, earlier, *others)
        reaches_five(out, sums, first, np.uint32(limit), *members)

    def _groups(self, plane: int, part: slice) -> Iterator[tuple[bool, tuple[Any, ...]]]:
        """(is it the first, rows, weights) of each five members.

        Several a pass, because a pass reads and writes the sums once.
        """
        for first in range(0, len(self._padded), MEMBERS_PER_PASS):
            group = slice(first, first + MEMBERS_PER_PASS)
            rows = (rows[plane, part] for rows in self._padded[group])
            yield first == 0, (*rows, *self._padding[group])


@dataclass(frozen=True)
class SummedMaps:
    """Sums that were taken before, uint32 CHW, of numbers on `scale`: a `BlendSource`."""

    values: Sums
    scale: np.dtype[Any]

    @property
    def shape(self) -> tuple[int, ...]:
        return self.values.shape

    def add(self, plane: int, part: slice, sums: Sums) -> None:
        sums[:] = self.values[plane].reshape(-1)[part]

    def reaches(
        self, plane: int, part: slice, sums: Sums, limit: int, out: NDArray[np.bool_]
    ) -> None:
        np.greater_equal(self.values[plane].reshape(-1)[part], np.uint32(limit), out=out)


def stream(
    source: BlendSource, use: Callable[[PixelBlock], None], threads: int | None, align: int = 1
) -> None:
    """Call `use` for every block of pixels, from several threads, in any order.

    Blocks start at multiples of `align`.
    """
    classes, pixels = source.shape[0], math.prod(source.shape[1:])
    fair = -(-pixels // ((threads or thread_count()) * align))  # so that each thread has a part
    size = max(1, min(BLOCK_PIXELS // (classes * align), fair)) * align

    def work(span: range) -> None:
        buffer = np.empty((classes, min(span.step, len(span) * span.step)), np.uint32)
        for start in span:
            stop = min(start + span.step, span.stop)
            use(PixelBlock(source, slice(start, stop), buffer[:, : stop - start]))

    parts = spans(pixels, size, threads)
    list(map(work, parts) if len(parts) == 1 else thread_pool().map(work, parts))


@dataclass(frozen=True)
class PixelBlock:
    """A part of a blend's pixels. Its sums are overwritten by the next block's."""

    blend: BlendSource
    part: slice
    buffer: Sums

    def sums(self) -> Sums:
        """The weighted sums, uint32 (C, P)."""
        for plane, sums in enumerate(self.buffer):
            self.blend.add(plane, self.part, sums)
        return self.buffer

    def reaches(self, limits: Sequence[int], out: NDArray[np.bool_]) -> None:
        """Fill bool (C, P): where the sums reach the limit of their class."""
        for plane, (limit, decided) in enumerate(zip(limits, out, strict=True)):
            self.blend.reaches(plane, self.part, self.buffer[plane], limit, decided)


def _rows(values: NDArray[Any]) -> NDArray[Any]:
    """A map as read-only (C, pixels), so that compiled code meets one type; float16 as its bits."""
    rows = np.ascontiguousarray(values).reshape(values.shape[0], -1)
    rows = rows.view(np.uint16) if rows.dtype == np.float16 else rows.view()
    rows.flags.writeable = False
    return rows


def _check_alike(maps: StoredMaps) -> None:
    if not maps:
        raise ArtefactError("a blend needs at least one map")
    first = maps[0]
    for number, other in enumerate(maps):
        if other.ndim != 3 or other.shape != first.shape or other.dtype != first.dtype:
            raise ArtefactError(
                f"maps that differ cannot be blended: member 0 is {first.shape} {first.dtype}, "
                f"member {number} is {other.shape} {other.dtype}; run infer again for one of them"
            )
