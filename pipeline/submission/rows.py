"""The rows of a submission, their order and their keys, as the sample file asks for them."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pipeline.config import SubmissionConfig
from pipeline.data.row_keys import Key, listed_keys, named, stripped, table_key
from pipeline.data.tables import read_table
from pipeline.errors import DataError
from pipeline.submission.copied_cells import copied_cells


@dataclass(frozen=True)
class TableHeader:
    """The first line of the file: the names in it, and how it is written."""

    names: tuple[str, ...]
    line: str
    """The line of the sample file, unchanged with its spaces and quotes, without line break."""
    delimiter: str = ","

    @classmethod
    def of(cls, names: Sequence[str]) -> TableHeader:
        """A comma-separated header of those names."""
        line = io.StringIO(newline="")
        csv.writer(line, lineterminator="").writerow(names)
        return cls(tuple(names), line.getvalue())


@dataclass(frozen=True)
class Row:
    """One line of the file: its sample, its class and its key."""

    key: str
    id: str
    plane: int
    class_name: str = ""
    """Said in a column of its own, if there is one."""
    copied: tuple[str, ...] = ()
    """The cells of `submission.copied`."""

    @property
    def cells(self) -> Key:
        return self.key, self.class_name


def plan_rows(
    settings: SubmissionConfig, root: Path, ids: Sequence[str], classes: Sequence[str]
) -> tuple[list[Row], TableHeader]:
    """The keys to send in order, and the header.

    With a sample file, its header and delimiter, its keys as they stand, and its order; DataError
    when its keys are not the test images'. A key that it repeats is sent as often, except where
    objects have a row each: they are as many as were found. Without a sample, the ids in order,
    classes in order within them.
    """
    names = classes if settings.rows == "class" else ("",)
    rows = {
        key: Row(key[0], sample_id, plane, key[1])
        for sample_id in ids
        for plane, name in enumerate(names)
        for key in [table_key(settings, sample_id, name)]
    }
    if len(rows) < len(ids) * len(names):
        raise DataError(
            f"submission.key: {settings.key!r} gives two (image, class) pairs the same key"
        )
    if settings.copied_from is not None:
        found = copied_cells(settings, root, ids)
        rows = {key: replace(row, copied=found[row.id]) for key, row in rows.items()}
    if settings.sample is None:
        first, last = settings.columns
        header = TableHeader.of((first, *settings.more_columns, last))
        return list(rows.values()), header
    return _as_in_sample(root / settings.sample, rows, settings)


def _as_in_sample(
    path: Path, rows: Mapping[Key, Row], settings: SubmissionConfig
) -> tuple[list[Row], TableHeader]:
    table = read_table(path, ())
    _check_header(path, table.header, settings)
    columns = dict(zip(roles_of(table.header, settings), table.header, strict=True))
    said = table[columns["class"]] if "class" in columns else [""] * len(table)
    written = list(zip(table[columns["key"]], said, strict=True))
    copied: list[tuple[str, ...] | None] = [None] * len(written)
    if settings.copied and settings.copied_from is None:
        copied = list(zip(*(table[each] for each in settings.copied), strict=True))
    lines = list(zip(written, copied, strict=True))
    if settings.rows == "instance":
        first: dict[Key, tuple[str, ...] | None] = {}
        for key, cells in lines:
            first.setdefault(key, cells)
        lines = list(first.items())
    by_stripped = {stripped(key): row for key, row in rows.items()}
    _compare(path, [stripped(key) for key in written], by_stripped, settings)
    planned = [_row(by_stripped[stripped(key)], key, cells) for key, cells in lines]
    return planned, TableHeader(table.header, table.header_line, table.delimiter)


def _row(row: Row, key: Key, copied: tuple[str, ...] | None) -> Row:
    said = row.copied if copied is None else copied
    return replace(row, key=key[0], class_name=key[1], copied=said)


def _check_header(path: Path, header: Sequence[str], settings: SubmissionConfig) -> None:
    more = settings.more_columns
    if not more:
        if len(header) != 2:
            raise DataError(
                f"{path} has the header {list(header)}; a sample has an id and a mask column, and "
                "if it has one for the class, name that as submission.class, others in "
                "submission.copied, constant or score"
            )
    elif len(header) != 2 + len(more) or not set(more) <= set(header):
        asked = f"submission.class: {settings.class_}" if more == (settings.class_,) else ""
        columns = "that column" if asked else f"the columns {', '.join(more)}"
        raise DataError(
            f"{path} has the header {list(header)}; with {asked or 'these settings'} it "
            f"has {columns}, an id and a mask column"
        )


def sample_header(path: Path, settings: SubmissionConfig) -> TableHeader:
    """The header of a sample file, whatever its rows are about."""
    table = read_table(path, ())
    _check_header(path, table.header, settings)
    return TableHeader(table.header, table.header_line, table.delimiter)


def emptied_sample(path: Path, settings: SubmissionConfig) -> str:
    """The text of a sample file with an empty mask in each line, whatever its lines are about."""
    table = read_table(path, ())
    _check_header(path, table.header, settings)
    text = io.StringIO(newline="")
    lines = csv.writer(text, delimiter=table.delimiter, lineterminator="\n")
    text.write(f"{table.header_line}\n")
    at = roles_of(table.header, settings).index("mask")
    for cells in zip(*(table[name] for name in table.header), strict=True):
        lines.writerow([*cells[:at], settings.empty, *cells[at + 1 :]])
    return text.getvalue()


def roles_of(names: Sequence[str], settings: SubmissionConfig) -> list[str]:
    """The content of each column: id before mask unless `columns` swaps them, others anywhere.

    "key", "mask", "class", "score", or the name of the column after "=".
    """
    own = {settings.class_: "class", settings.score: "score"}
    own |= {each: f"={each}" for each in (*settings.constant, *settings.copied)}
    others = [name for name in names if name not in own]
    swapped = tuple(others) == settings.columns[::-1]
    roles = iter(("mask", "key") if swapped else ("key", "mask"))
    return [own[name] if name in own else next(roles) for name in names]


def _compare(
    path: Path, wanted: Sequence[Key], rows: Mapping[Key, Row], settings: SubmissionConfig
) -> None:
    strange = list(dict.fromkeys(key for key in wanted if key not in rows))
    missing = sorted(set(rows) - set(wanted))
    if strange:
        ours = f"; our keys look like {named(next(iter(rows)))}" if rows else ""
        raise DataError(
            f"{path} asks for {listed_keys(strange)}, for which there is no test image{ours} "
            f"(submission.key: {settings.key!r})"
        )
    if missing:
        raise DataError(
            f"{path} does not ask for {listed_keys(missing)}; do these test images belong to this "
            "sample file?"
        )
