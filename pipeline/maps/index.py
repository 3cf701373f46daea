"""The maps of a store and their offsets: one array per column, not one object per map."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import ArtefactError, DataError

COLUMNS = ("id", "offset", "height", "width", "classes")


@dataclass(frozen=True)
class MapShape:
    """The size in pixels of the map of one sample."""

    id: str
    height: int
    width: int


@dataclass(frozen=True, eq=False)
class MapIndex:
    """Row by row: the id, and the place of its CxHxW map in the flat array (in values)."""

    ids: list[str]
    offsets: NDArray[np.int64]
    heights: NDArray[np.int64]
    widths: NDArray[np.int64]
    classes: int

    @classmethod
    def of(cls, shapes: Sequence[MapShape], classes: int) -> MapIndex:
        """The index of maps stored one after another. DataError: no map, no pixel, an id twice."""
        ids = [shape.id for shape in shapes]
        heights = np.array([shape.height for shape in shapes], np.int64)
        widths = np.array([shape.width for shape in shapes], np.int64)
        if not ids or classes < 1:
            raise DataError("a map store needs at least one image and one class")
        if len(set(ids)) < len(ids):
            name, count = Counter(ids).most_common(1)[0]
            raise DataError(f"id {name!r} is listed {count} times; ids must be unique")
        if min(heights.min(), widths.min()) < 1:
            empty = ids[int(np.flatnonzero((heights < 1) | (widths < 1))[0])]
            raise DataError(f"image {empty!r} has no pixels")
        ends = np.cumsum(heights * widths * classes)
        return cls(ids, np.concatenate([[0], ends[:-1]]), heights, widths, classes)

    @classmethod
    def from_csv(cls, data: bytes) -> MapIndex:
        rows = csv.reader(io.StringIO(data.decode("utf-8", "surrogateescape"), newline=""))
        next(rows)
        ids, *numbers = zip(*rows, strict=True)
        offsets, heights, widths, classes = np.array(numbers, np.int64)
        return cls(list(ids), offsets, heights, widths, int(classes[0]))

    def to_csv(self) -> bytes:
        """The bytes of index.csv. Ids that are odd file names (not UTF-8) survive too."""
        text = io.StringIO(newline="")
        writer = csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)
        writer.writerow(COLUMNS)
        places = (self.offsets.tolist(), self.heights.tolist(), self.widths.tolist())
        writer.writerows(
            (id, *place, self.classes) for id, *place in zip(self.ids, *places, strict=True)
        )
        return text.getvalue().encode("utf-8", "surrogateescape")

    @cached_property
    def _row_of(self) -> dict[str, int]:
        return {id: row for row, id in enumerate(self.ids)}

    @cached_property
    def sizes(self) -> NDArray[np.int64]:
        """Values in each map."""
        return self.heights * self.widths * self.classes

    @property
    def shapes(self) -> tuple[MapShape, ...]:
        places = zip(self.ids, self.heights.tolist(), self.widths.tolist(), strict=True)
        return tuple(MapShape(*place) for place in places)

    @property
    def total(self) -> int:
        """Values in all maps together."""
        return int(self.offsets[-1] + self.sizes[-1])

    def row(self, id: str) -> int:
        """Its row; ArtefactError if the store has no such id."""
        try:
            return self._row_of[id]
        except KeyError:
            raise ArtefactError(f"no map of {id!r} in this store of {len(self.ids)} maps") from None

    def rows(self, ids: Iterable[str]) -> NDArray[np.int64]:
        return np.array([self.row(id) for id in ids], np.int64)

    def shape(self, row: int) -> tuple[int, int, int]:
        """(classes, height, width) of the map in that row."""
        return self.classes, int(self.heights[row]), int(self.widths[row])
