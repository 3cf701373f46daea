"""The tables of a folder, as far as their first lines tell."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from pipeline.data.tables import CsvTable, open_table
from pipeline.errors import DataError
from pipeline.proposal.tree import Tree

MOST_BYTES = 4 * 2**20
"""Of each table."""
_MOST_TABLES = 40
_RUNS = re.compile(r"\d+ \d+( \d+ \d+)*")
_NOTHING = ("", "-1", "-")
_RUN_COLUMN = re.compile(r"rle|pixels|predicted|segmentation|^mask|encod", re.IGNORECASE)


@dataclass(frozen=True)
class Table:
    """The beginning of a table."""

    path: str
    """Below the root."""
    rows: CsvTable

    @property
    def header(self) -> tuple[str, ...]:
        return self.rows.header

    def column(self, name: str) -> list[str]:
        at = self.header.index(name)
        return [row.cells[at] for row in self.rows.rows if len(row.cells) > at]

    @property
    def is_sample(self) -> bool:
        """True if it is called a submission."""
        return bool(re.search(r"sample|submi", self.path, re.IGNORECASE))

    @property
    def run_column(self) -> str | None:
        """The column of run lengths, by its cells; None if none holds any."""
        for name in self.header:
            cells = [each.strip() for each in self.column(name)]
            runs = sum(1 for each in cells if _is_run(each))
            if runs and all(each in _NOTHING or _is_run(each) for each in cells[:1000]):
                return name
        return None

    @property
    def named_run_column(self) -> str:
        """The same by its name, for samples whose cells are empty; else the last column."""
        named = [name for name in self.header if _RUN_COLUMN.search(name)]
        return named[-1] if named else self.header[-1]


@lru_cache(maxsize=65536)
def _is_run(cell: str) -> bool:
    return bool(_RUNS.fullmatch(cell.strip()))


def tables_of(tree: Tree) -> tuple[list[Table], list[str]]:
    """The tables, those nearest to the root first, and why others cannot be read."""
    found, problems = [], []
    paths = sorted(tree.tables, key=lambda path: (path.count("/"), path))
    for path in paths[:_MOST_TABLES]:
        try:
            rows = open_table(tree.root / Path(path), (), MOST_BYTES)
        except DataError as error:
            problems.append(str(error))
            continue
        if len(rows.header) > 1 and len(rows):
            found.append(Table(path, rows))
    if len(paths) > _MOST_TABLES:
        problems.append(f"{len(paths) - _MOST_TABLES} more table(s) were not looked at")
    return found, problems


def others(header: Sequence[str], *taken: str) -> list[str]:
    """The columns besides some."""
    return [name for name in header if name not in taken]
