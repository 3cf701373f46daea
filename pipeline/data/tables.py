"""Tables: files from users are read tolerantly, our own strictly; every cell stays text."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import pandas as pd

from pipeline.data.csv_lines import lines_of, read_text, records_of
from pipeline.errors import ArtefactError, DataError
from pipeline.suggestions import did_you_mean

DELIMITERS = (",", ";", "\t")


@dataclass(frozen=True, slots=True)
class TableRow:
    """One row: the number of its line, its cells, and what is wrong with it (mostly nothing)."""

    line: int
    cells: list[str]
    fault: str = ""


@dataclass(frozen=True)
class CsvTable:
    """A table from a user. Column names are stripped of spaces, cells are not changed."""

    path: Path
    header_line: str
    """The header as it stands in the file."""
    header: tuple[str, ...]
    delimiter: str
    rows: list[TableRow]
    ends_in_mid_line: bool
    """True if the last line has no line break: a file that was cut, or written so."""

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, column: str) -> list[str]:
        at = self.header.index(column)
        return [row.cells[at] for row in self.rows]


def read_table(path: Path, columns: Sequence[str]) -> CsvTable:
    """A table whose every row is whole; DataError names the lines that are not."""
    table = open_table(path, columns)
    wrong = [row for row in table.rows if row.fault]
    if wrong:
        more = f" (and {len(wrong) - 1} more line(s))" if len(wrong) > 1 else ""
        raise DataError(f"{path}, line {wrong[0].line}: {wrong[0].fault}{more}")
    return table


def open_table(path: Path, columns: Sequence[str], most_bytes: int = -1) -> CsvTable:
    """A table of comma-, semicolon- or tab-separated values, its faulty rows marked as such.

    most_bytes: how much of it is read, -1: all. Blank lines, and rows of nothing but empty cells,
    are left out. DataError when it is no table, lacks one of `columns`, or names a column twice.
    """
    text = read_text(path, most_bytes)
    delimiter = _delimiter(text, path, columns)
    spaced = f'{delimiter} "' in text
    records = records_of(text, path, delimiter, spaced=spaced)
    header = tuple(cell.strip() for cell in next(records, (1, []))[1])
    _check_header(path, header, columns)
    needed = [header.index(column) for column in columns]
    rows = [
        TableRow(line, cells, _fault(cells, header, needed, delimiter))
        for line, cells in records
        if any(cell.strip() for cell in cells)
    ]
    header_line = next(lines_of(text)).rstrip("\r\n")
    return CsvTable(path, header_line, header, delimiter, rows, not text.endswith(("\n", "\r")))


def read_own_table(path: Path, columns: Sequence[str]) -> pd.DataFrame:
    """A table that Maskmill wrote, as text: comma-separated, names and cells by the letter.

    It may have been edited: more columns are fine, another order of them, too. ArtefactError says
    what is wrong with it, and where.
    """
    try:
        records = records_of(read_text(path), path)
        header = tuple(next(records, (1, []))[1])
        _check_header(path, header, columns)
        needed = [header.index(column) for column in columns]
        rows = [(line, cells) for line, cells in records if cells]
        for line, cells in rows:
            if fault := _fault(cells, header, needed, ","):
                raise DataError(f"{path}, line {line}: {fault}")
    except DataError as error:
        raise ArtefactError(f"{error}. Fix it, or delete it to regenerate it") from None
    return pd.DataFrame([cells for _, cells in rows], columns=list(header), dtype=str)


def _delimiter(text: str, path: Path, columns: Sequence[str]) -> str:
    """The delimiter that makes a header with all of `columns`, or the one with most columns."""
    headers = {}
    for delimiter in DELIMITERS:
        try:
            first = next(islice(records_of(text, path, delimiter), 1), (1, []))[1]
        except DataError:
            continue
        headers[delimiter] = {cell.strip() for cell in first}
        if columns and headers[delimiter].issuperset(columns):
            return delimiter
    return max(headers, key=lambda each: len(headers[each]), default=",")


def _check_header(path: Path, header: Sequence[str], columns: Sequence[str]) -> None:
    if not header:
        raise DataError(f"{path} cannot be read as CSV: its first line, the header, is empty")
    if any(re.search(r"[\r\n]", name) for name in header):
        raise DataError(
            f"{path} cannot be read as CSV: a quoted name in its header has no closing quote"
        )
    twice = [name for name, count in Counter(header).items() if name and count > 1]
    if twice:
        raise DataError(f"{path} has the column {twice[0]!r} twice; remove one, or rename it")
    for column in columns:
        if column not in header:
            raise DataError(
                f"{path} has no column {column!r}; it has {list(header)}{_alike(column, header)}"
            )


def _alike(column: str, header: Sequence[str]) -> str:
    hint = did_you_mean(column.strip(), header)
    return hint if "mean" in hint else ""  # all columns are listed anyway


def _fault(
    cells: Sequence[str], header: Sequence[str], needed: Sequence[int], delimiter: str
) -> str:
    """The fault of a row, or "" if there is none."""
    if len(cells) != len(header):
        return f"has {len(cells)} cell(s), and the header has {len(header)}"
    for at, cell in enumerate(cells):
        inner = re.split(r"\r\n|\r|\n", cell)[1:]
        if inner and (
            at in needed or any(line.count(delimiter) == len(header) - 1 for line in inner)
        ):
            return (
                f"the cell of {header[at]!r} spans {len(inner) + 1} lines; does a stray "
                'quote (") swallow rows?'
            )
    return ""
