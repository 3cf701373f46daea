"""Masks as run lengths in a table: rows by image, or by image and class; a row may be an object."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from pipeline.config import DataConfig, MaskSource, MaskTable
from pipeline.data import rle
from pipeline.data.ground_truth import Truth
from pipeline.data.masks.files import united
from pipeline.data.masks.table import RunCell, RunTable, read_run_table
from pipeline.data.resize import resize_planes
from pipeline.data.row_keys import Key, stripped, table_key
from pipeline.errors import DataError
from pipeline.size import Size


class RunLengths:
    """A table of run lengths; see `MaskFormat`."""

    pattern = None
    in_coordinates = True

    def __init__(self, data: DataConfig, columns: MaskTable) -> None:
        self._data = data
        self._columns = columns

    @classmethod
    def of(cls, data: DataConfig) -> Self | None:
        return cls(data, data.masks) if isinstance(data.masks, MaskTable) else None

    @property
    def shared_files(self) -> tuple[Path, ...]:
        return (self._data.root / self._columns.csv,)

    @property
    def conventions(self) -> Mapping[str, object]:
        return {"order": self._columns.order, "relative": self._columns.relative}

    @property
    def reading(self) -> str:
        return f"data.masks.order: {self._columns.order}"

    @property
    def readings(self) -> Mapping[str, MaskSource]:
        """The other order of pixels, and the size with height and width swapped."""
        columns = self._columns
        other = "row" if columns.order == "column" else "column"
        ways: list[dict[str, object]] = [{}, {"order": other}]
        if columns.size and columns.size[0] != columns.size[1]:
            ways += [{**each, "size": columns.size[::-1]} for each in ways]
        return {_as_written(each): columns.model_copy(update=each) for each in ways}

    def lacks(self, sample_id: str, files: Sequence[Path]) -> bool:
        keys = {stripped(table_key(self._columns, sample_id, name)) for name in self._data.classes}
        return not keys & self._table.cells.keys()

    def read(self, sample_id: str, files: Sequence[Path], size: Size) -> Truth:
        columns = self._columns
        keys = [table_key(columns, sample_id, name) for name in self._data.class_names]
        if not columns.by_class:
            return self._plane(keys[0], size, required=True)
        found = [self._plane(key, size, required=False) for key in keys]
        return Truth(np.concatenate([truth.planes for truth in found]))

    def expect(self, ids: Collection[str]) -> None:
        self._table.expect(ids)

    def doubts(self, ids: Collection[str]) -> list[str]:
        return list(self._table.doubts(ids, [*ids, *self._data.drop]))

    @cached_property
    def _table(self) -> RunTable:
        return read_run_table(self._data, self._columns)

    def _plane(self, key: Key, size: Size, *, required: bool) -> Truth:
        cells = self._table.cells_of(key, required=required)
        truth = united((self._decoded(key, cell, size) for cell in cells), size)
        return truth if self._columns.instances else Truth(truth.planes)

    def _decoded(self, key: Key, cell: RunCell, size: Size) -> NDArray[np.bool_]:
        columns = self._columns
        try:
            mask = rle.decode(
                cell.text, columns.size or size, columns.order, relative=columns.relative
            )
        except DataError as error:
            raise self._table.error(key, cell, str(error)) from None
        if columns.size is None:
            return mask
        return np.asarray(resize_planes(mask[None].view(np.uint8), size)[0], np.bool_)


def _as_written(changes: Mapping[str, object]) -> str:
    texts = [
        f"data.masks.{key}: {list(value) if isinstance(value, tuple) else value}"
        for key, value in changes.items()
    ]
    return " and ".join(texts)
