"""Tables of run lengths: the masks of training images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.data import rle
from pipeline.errors import DataError
from pipeline.proposal.keys import Ids, KeyColumn, find_keys
from pipeline.proposal.tables import Table, others

_CLASS_COLUMN = ("class", "label", "category", "type", "organ")
_MOST_CLASSES = 100
_CELLS = 200  # that are decoded


@dataclass(frozen=True)
class MaskRows:
    """A table of masks."""

    table: Table
    keys: KeyColumn
    rle: str
    class_column: str | None
    classes: tuple[str, ...]
    is_relative: bool
    starts_at_zero: bool

    @property
    def has_objects(self) -> bool:
        """True if an image has several rows, and they are not those of classes."""
        return self.keys.is_repeated and not self.classes

    def source(self, order: str) -> dict[str, Any]:
        """`data.masks` of it, without what stands at its default."""
        settings: dict[str, Any] = {
            "csv": self.table.path,
            "id": self.keys.name,
            "rle": self.rle,
            "order": order,
        }
        if self.keys.form != "{id}":
            settings["key"] = self.keys.form
        if self.class_column:
            settings["class"] = self.class_column
        if self.is_relative:
            settings["relative"] = True
        if self.has_objects:
            settings["instances"] = True
        return settings


def find_mask_rows(tables: Sequence[Table], ids: Ids) -> MaskRows | None:
    """The first table of run lengths of these images that is not called a submission."""
    for table in tables:
        run_column = None if table.is_sample else table.run_column
        if run_column is None:
            continue
        keys = find_keys(table, ids, others(table.header, run_column))
        if keys is not None:
            return _mask_rows(table, keys, run_column)
    return None


def _mask_rows(table: Table, keys: KeyColumn, run_column: str) -> MaskRows:
    column, classes = None, keys.classes
    if not classes and keys.is_repeated:
        column, classes = class_column(table, others(table.header, run_column, keys.name))
    cells = [each for each in table.column(run_column) if " " in each][:_CELLS]
    absolute, relative = _readable(cells, relative=False), _readable(cells, relative=True)
    return MaskRows(
        table=table,
        keys=keys,
        rle=run_column,
        class_column=column,
        classes=tuple(sorted(classes, key=_numbers_first)),
        is_relative=absolute < len(cells) == relative,
        starts_at_zero=absolute < len(cells) and any(each.startswith("0 ") for each in cells),
    )


def class_column(table: Table, columns: Sequence[str]) -> tuple[str | None, tuple[str, ...]]:
    """The column that is called after classes, and its values."""
    for name in columns:
        cells = (each.strip() for each in table.column(name))
        values = tuple(dict.fromkeys(each for each in cells if each))
        if any(word in name.lower() for word in _CLASS_COLUMN) and len(values) <= _MOST_CLASSES:
            return name, values
    return None, ()


def _readable(cells: Sequence[str], *, relative: bool) -> int:
    count = 0
    for cell in cells:
        try:
            rle.from_text(cell, relative=relative)
        except DataError:
            continue
        count += 1
    return count


def _numbers_first(name: str) -> tuple[bool, int, str]:
    return not name.isdecimal(), int(name) if name.isdecimal() else 0, name
