"""The sample submission: its keys, its columns, and what it says about the order of pixels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.config.choices import RleOrder
from pipeline.proposal.keys import Ids, KeyColumn, find_keys
from pipeline.proposal.run_tables import class_column
from pipeline.proposal.tables import Table, others

_EMPTY = ("", "-1", "-")
KNOWN: dict[tuple[str, str], tuple[RleOrder, str]] = {
    ("img", "rle_mask"): ("row", "Carvana"),
    ("Id", "Predicted"): ("row", "Vesuvius"),
    ("id", "rle_mask"): ("column", "TGS Salt"),
    ("id", "predicted"): ("column", "HuBMAP"),
    ("ImageId", "EncodedPixels"): ("column", "Data Science Bowl, Airbus and Severstal"),
    ("ImageId_ClassId", "EncodedPixels"): ("column", "Severstal"),
    ("Image_Label", "EncodedPixels"): ("column", "Understanding Clouds"),
    ("record_id", "encoded_pixels"): ("column", "Contrails"),
}
"""Header of a competition → its order, by its own pages."""


@dataclass(frozen=True)
class Sample:
    """A sample submission that asks for the test images."""

    table: Table
    keys: KeyColumn
    rle: str
    class_column: str | None
    classes: tuple[str, ...]

    @property
    def columns(self) -> list[str]:
        return [self.keys.name, self.rle]

    @property
    def rows(self) -> str:
        if self.classes:
            return "class"
        return "instance" if self.keys.is_repeated else "image"

    @property
    def empty(self) -> str | None:
        """What stands in all or nearly all cells, if that means an empty mask."""
        cells = Counter(each.strip() for each in self.table.column(self.rle))
        cell, _ = cells.most_common(1)[0]
        return cell if cell in _EMPTY else None

    @property
    def copied(self) -> list[str]:
        """Its columns besides those of ids, classes and run lengths."""
        known = (self.keys.name, self.rle, self.class_column)
        return [each for each in self.table.header if each not in known]


def find_sample(tables: Sequence[Table], ids: Ids) -> Sample | None:
    """The table that names test images, those called a sample or a submission first."""
    for table in sorted(tables, key=lambda each: not each.is_sample):
        run_column = table.run_column or table.named_run_column
        keys = find_keys(table, ids, others(table.header, run_column))
        if keys is None or not (table.is_sample or table.run_column):
            continue
        column, classes = None, keys.classes
        if not classes and len(table.header) > 2:
            column, classes = class_column(table, others(table.header, run_column, keys.name))
        return Sample(table, keys, run_column, column, classes)
    return None


def keys_of_samples(tables: Sequence[Table]) -> list[str]:
    """All that stands in the columns of samples, with and without an ending: ids may be in it."""
    cells = [
        cell.strip()
        for table in tables
        if table.is_sample
        for name in table.header[:2]
        for cell in table.column(name)[:5000]
    ]
    return [*cells, *(each.rpartition(".")[0] for each in cells if "." in each)]
