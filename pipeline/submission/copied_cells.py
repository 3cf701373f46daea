"""Cells of more columns than id and mask: copied from a table, or the same text in each row."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from pipeline.config import SubmissionConfig
from pipeline.data.listing import listed
from pipeline.data.row_keys import as_matched
from pipeline.data.tables import read_table
from pipeline.errors import DataError
from pipeline.size import Size


def copied_cells(
    settings: SubmissionConfig, root: Path, ids: Sequence[str]
) -> dict[str, tuple[str, ...]]:
    """Id → the cells of `copied` in the first row that `copied_from` has for it.

    DataError for ids that have no row.
    """
    source = settings.copied_from
    assert source is not None
    table = read_table(root / source.csv, (source.id, *settings.copied))
    cells: dict[str, tuple[str, ...]] = {}
    columns = zip(*(table[each] for each in settings.copied), strict=True)
    for key, row in zip(table[source.id], columns, strict=True):
        cells.setdefault(as_matched(key), row)
    keys = {each: as_matched(source.key.replace("{id}", each)) for each in ids}
    if missing := [each for each in ids if keys[each] not in cells]:
        raise DataError(
            f"submission.copied_from: {table.path} has no row of {listed(missing)} "
            f"(key: {source.key!r})"
        )
    return {each: cells[keys[each]] for each in ids}


def constant_cells(
    constant: Mapping[str, str], id: str, class_name: str, size: Size
) -> dict[str, str]:
    """Column → its text, with what it names of the row."""
    said = {"id": id, "class": class_name, "height": str(size[0]), "width": str(size[1])}

    def filled(text: str) -> str:
        return re.sub(r"\{(\w+)\}", lambda found: said.get(found[1], found[0]), text)

    return {column: filled(text) for column, text in constant.items()}
