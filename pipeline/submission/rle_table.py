"""A CSV of run lengths: a row an image, an image and class, or an object."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from pipeline.config import DataConfig, SubmissionConfig
from pipeline.data import rle
from pipeline.data.row_keys import named
from pipeline.ensemble.blending.threads import ordered
from pipeline.errors import DataError
from pipeline.reporting import Advance
from pipeline.size import Size
from pipeline.submission.cells import Cells
from pipeline.submission.format import SubmittedDecisions, Written
from pipeline.submission.mask_record import uniform_kinds
from pipeline.submission.numbers import class_numbers
from pipeline.submission.planes import Shape, kind_of, shapes_of_image
from pipeline.submission.rows import Row, TableHeader, plan_rows, roles_of
from pipeline.submission.table import lines_of, write_checked


@dataclass(frozen=True)
class RleTable:
    """A table of run lengths; see `SubmissionFormat`."""

    cells: Cells
    rows: Sequence[Row]
    header: TableHeader
    classes: int

    @classmethod
    def suffix(cls, settings: SubmissionConfig) -> str:
        return ".csv"

    @classmethod
    def plan(cls, settings: SubmissionConfig, data: DataConfig, ids: Sequence[str]) -> Self:
        rows, header = plan_rows(settings, data.root, ids, data.class_names)
        numbers = class_numbers(settings, data)
        return cls(Cells(settings, numbers), rows, header, len(numbers))

    @property
    def _settings(self) -> SubmissionConfig:
        return self.cells.settings

    def write(self, path: Path, decisions: SubmittedDecisions, advance: Advance) -> Written:
        shapes = self._in_order(decisions, advance)
        kinds: dict[int, Counter[str]] = defaultdict(Counter)

        def size_of(each: str) -> Size:
            return self._settings.size or decisions.size_of(each)

        def next_shapes(row: Row) -> Sequence[Shape]:
            found = next(shapes)
            for plane in self._planes(row):
                of_class = [each for each in found if each.plane == plane]
                kinds[plane][kind_of(of_class, size_of(row.id))] += 1
            return found

        written = write_checked(path, self.header, self.rows, next_shapes, self.cells, size_of)
        return Written(written, uniform_kinds(kinds))

    def read(
        self, path: Path, size_of: Callable[[str], Size]
    ) -> Iterator[tuple[str, NDArray[np.bool_]]]:
        roles = roles_of(self.header.names, self._settings)
        texts: dict[tuple[str, str], list[str]] = defaultdict(list)
        for number, line in enumerate(lines_of(path, self.header.delimiter), start=2):
            if len(line) != len(roles):
                raise DataError(f"{path}, line {number}: {len(line)} cells, not {len(roles)}")
            said = {"class": "", **dict(zip(roles, line, strict=True))}
            texts[said["key"], said["class"]].append(said["mask"])
        rows_of: dict[str, list[Row]] = defaultdict(list)
        for row in self.rows:
            rows_of[row.id].append(row)
        for id, rows in rows_of.items():
            size = self._settings.size or size_of(id)
            planes = np.zeros((self.classes, *size), np.bool_)
            for row in rows:
                if row.cells not in texts:
                    raise DataError(f"{path} has no line {named(row.cells)}")
                self._draw(texts[row.cells], row, planes)
            yield id, planes

    def _draw(self, texts: Sequence[str], row: Row, planes: NDArray[np.bool_]) -> None:
        size = (planes.shape[1], planes.shape[2])
        several = "{class}" in self._settings.cell
        for shape in (each for text in texts for each in self.cells.read(text, size)):
            plane = shape.plane if several else row.plane
            planes[plane] |= rle.mask_of(shape.runs, size, self._settings.order)

    def _planes(self, row: Row) -> Sequence[int]:
        """The classes that a row is about."""
        return range(self.classes) if "{class}" in self._settings.cell else [row.plane]

    def _in_order(
        self, decisions: SubmittedDecisions, advance: Advance
    ) -> Iterator[Sequence[Shape]]:
        """The shapes of row after row; rows of one image that follow each other share a
        decision.
        """

        def decided(each: str) -> list[Sequence[Shape]]:
            return shapes_of_image(decisions, each, self._settings)

        images = [(each, list(of_it)) for each, of_it in groupby(self.rows, lambda row: row.id)]
        found = ordered(decided, [each for each, _ in images])
        for (_, of_it), shapes in zip(images, found, strict=True):
            for row in of_it:
                yield [each for plane in self._planes(row) for each in shapes[plane]]
            advance(1)
