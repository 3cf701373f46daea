"""Masks as run lengths in a table: the content of each row, and doubtful rows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from pipeline.config import DataConfig, MaskTable
from pipeline.data.listing import listed
from pipeline.data.row_keys import Key, listed_keys, named, stripped, table_key
from pipeline.data.tables import CsvTable, TableRow, open_table
from pipeline.errors import DataError

LIMITS = {32_767: "a spreadsheet's", 65_535: "a database's or a spreadsheet's"}
"""Lengths at which cells are cut by what a table went through, and whose they are."""
_LONGEST_NUMBER = 11  # digits and the blank, which go, too, where half a run is removed
_FEW = 0.1  # share of rows that may be missing where a table also states empty masks


@dataclass(frozen=True)
class RunCell:
    """The run lengths of one row."""

    text: str
    line: int
    fault: str = ""


@dataclass
class RunTable:
    """The rows of a table of run lengths by their keys, in the order of the table."""

    columns: MaskTable
    class_names: Sequence[str]
    cells: dict[Key, list[RunCell]]
    last: Key | None
    ends_in_mid_line: bool
    unstated: set[Key] = field(default_factory=set)
    """Keys without a row in a table that states empty masks, too: not known to be empty."""

    def cells_of(self, key: Key, *, required: bool) -> list[RunCell]:
        """The cells of that key that are not empty; DataError for a faulty or a missing row."""
        key = stripped(key)
        if key not in self.cells and (required or key in self.unstated):
            example = next(iter(self.cells), None)
            like = f"; its rows have keys like {named(example)}" if example else ""
            also = (
                "" if required else ", although it also lists empty masks; is the table complete?"
            )
            raise DataError(f"{self.columns.csv} has no row {named(key)}{also}{like}")
        for cell in self.cells.get(key, []):
            if cell.fault:
                raise self.error(key, cell, cell.fault)
        return [each for each in self.cells.get(key, []) if each.text not in self.columns.empty]

    def error(self, key: Key, cell: RunCell, text: str) -> DataError:
        """The error of a row, with table, line and key."""
        cut = ""
        if self.ends_in_mid_line and self.last and cell is self.cells[self.last][-1]:
            cut = " (the file ends in the middle of that line; is it complete?)"
        return DataError(f"{self.columns.csv}, line {cell.line}, row {named(key)}: {text}{cut}")

    def expect(self, ids: Collection[str]) -> None:
        """Take missing rows of these ids for faults if hardly any is missing and some are empty."""
        keys = self._keys(ids)
        missing = keys - set(self.cells)
        empty = any(
            each.text in self.columns.empty for some in self.cells.values() for each in some
        )
        if self.columns.by_class and empty and len(missing) <= _FEW * len(keys):
            self.unstated = missing

    def unused(self, ids: Collection[str]) -> list[Key]:
        """Keys of rows that no (id, class) has."""
        return sorted(set(self.cells) - self._keys(ids))

    def doubts(self, ids: Collection[str], known: Collection[str]) -> Iterator[str]:
        """Possible problems of the table. ids: of images; known: those, and ids left out."""
        if unused := self.unused(known):
            yield f"{len(unused)} row(s) match no training image or class: {listed_keys(unused)}"
        without = [each for each in sorted(ids) if not self._keys([each]) & set(self.cells)]
        if self.columns.by_class and without:
            cut = "; they would come after the last row, as in a table that was cut"
            yield (
                f"{len(without)} image(s) have no row, which is read as an empty mask: "
                f"{listed(without)}{cut if self._cut_before(without) else ''}"
            )
        if self.ends_in_mid_line and self.last:
            yield (
                f"{self.columns.csv} has no line break after its last row, {named(self.last)}; if "
                "it was cut there, that mask is too small"
            )
        yield from self._contradictions()
        yield from self._nearly_cut()

    def _keys(self, ids: Collection[str]) -> set[Key]:
        return {
            stripped(table_key(self.columns, each, name))
            for each in ids
            for name in self.class_names
        }

    def _cut_before(self, without: Sequence[str]) -> bool:
        """True if the rows are in order, and images without one would come after them all."""
        keys = list(self.cells)
        first = min(self._keys(without[:1]))
        return all(a <= b for a, b in pairwise(keys)) and keys[-1:] < [first]

    def _contradictions(self) -> Iterator[str]:
        """Several rows of one mask that are not parts of it."""
        empty = set(self.columns.empty)
        texts = {key: {each.text for each in cells} for key, cells in self.cells.items()}
        if both := [key for key, found in texts.items() if 0 < len(empty & found) < len(found)]:
            yield f"{len(both)} mask(s) have an empty row and others: {listed_keys(both)}"
        if again := [key for key, found in texts.items() if len(found) < len(self.cells[key])]:
            yield f"{len(again)} mask(s) have the same row twice: {listed_keys(again)}"

    def _nearly_cut(self) -> Iterator[str]:
        every = [(key, cell) for key, cells in self.cells.items() for cell in cells]
        for limit in LIMITS:
            if any(len(cell.text) > limit for _, cell in every):
                continue
            near = [
                key
                for key, cell in every
                if limit - _LONGEST_NUMBER <= len(cell.text) < limit and not cell.fault
            ]
            if near:
                yield (
                    f"the run lengths of {listed_keys(near)} end just before {limit:,} characters, "
                    "and none are longer; did a spreadsheet cut them?"
                )


def read_run_table(data: DataConfig, columns: MaskTable) -> RunTable:
    """The table that `data.masks` names; rows that are not whole are errors when asked for.

    DataError for a table that is none, or a faulty row that does not say what it is about.
    """
    needed = (columns.id, columns.rle, *([columns.class_] if columns.class_ else []))
    table = open_table(data.root / columns.csv, needed)
    at = [table.header.index(name) for name in needed]
    cells: dict[Key, list[RunCell]] = defaultdict(list)
    key = None
    for row in table.rows:
        key = _key(row, at, table)
        text = "" if row.fault else row.cells[at[1]]
        cells[key].append(RunCell(text.strip(), row.line, row.fault or _cut(text)))
    return RunTable(columns, data.class_names, dict(cells), key, table.ends_in_mid_line)


def _key(row: TableRow, at: Sequence[int], table: CsvTable) -> Key:
    """The key of a row, as far as a faulty row has one."""
    names = [row.cells[each].strip() for each in (at[0], *at[2:]) if each < len(row.cells)]
    if not names or not names[0] or len(names) < len(at) - 1:
        fault = row.fault or f"has no {table.header[at[0]]!r}"
        raise DataError(f"{table.path}, line {row.line}: {fault}")
    return stripped((names[0], names[1] if names[1:] else ""))


def _cut(text: str) -> str:
    """Why run lengths look cut, or ""; text: the cell as written, with spaces at its ends.

    Where half a run at the end was removed, a blank is left there.
    """
    for limit, whose in LIMITS.items():
        short = limit - len(text)
        if short == 0 or (0 < short <= _LONGEST_NUMBER and text.endswith(" ")):
            return (
                f"its run lengths end at {whose} limit of {limit:,} characters, so the rest is "
                "lost; get the table again (if nothing is missing, double a space in the cell)"
            )
    return ""
