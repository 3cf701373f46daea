"""What is sent: rows in the sample file's order with exactly its ids, read back at once."""

from __future__ import annotations

import csv
import hashlib
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from pipeline.competition import rle
from pipeline.competition.catalog import listed, read_table
from pipeline.competition.masks import Key, shown, table_key
from pipeline.config import SubmissionConfig
from pipeline.errors import DataError
from pipeline.workspace import stream_atomic

Size = tuple[int, int]
Header = tuple[str, ...]
Runs = NDArray[np.int64]
NO_RUNS: Runs = np.zeros((0, 2), np.int64)


@dataclass(frozen=True)
class Row:
    """One line of the file: which sample and class it is about, and what it is called."""

    key: str
    id: str
    plane: int
    class_name: str = ""
    """Said in a column of its own, if there is one."""

    @property
    def cells(self) -> Key:
        return self.key, self.class_name


def plan_rows(
    settings: SubmissionConfig, root: Path, ids: Sequence[str], classes: Sequence[str]
) -> tuple[list[Row], Header]:
    """The keys to send in order, and the header.

    With a sample file, its header, ids and order; DataError when its ids are not the test
    images'. Without one, the ids in order, classes in order within them.
    """
    names = classes if settings.rows == "class" else ("",)
    rows = {
        key: Row(key[0], sample_id, plane, key[1])
        for sample_id in ids
        for plane, name in enumerate(names)
        for key in [table_key(settings, sample_id, name)]
    }
    if len(rows) < len(ids) * len(names):
        raise DataError(f"submission.key: {settings.key!r} calls two (image, class) the same")
    if settings.sample is None:
        first, last = settings.columns
        return list(rows.values()), (first, *_class_column(settings), last)
    path = root / settings.sample
    table = read_table(path, ())
    header = tuple(table.columns)
    _check_header(path, header, settings)
    cells = dict(zip(_roles(header, settings), header, strict=True))
    said = table[cells["class"]] if "class" in cells else [""] * len(table)
    wanted = list(dict.fromkeys(zip(table[cells["key"]], said, strict=True)))
    _compare(path, wanted, rows, settings)
    return [rows[key] for key in wanted], header


def _class_column(settings: SubmissionConfig) -> tuple[str, ...]:
    return (settings.class_,) if settings.class_ else ()


def _check_header(path: Path, header: Header, settings: SubmissionConfig) -> None:
    if settings.class_ is None:
        if len(header) != 2:
            raise DataError(
                f"{path} has the header {list(header)}; a sample has an id and a mask column, and "
                "if it has one for the class, name that as submission.class"
            )
    elif len(header) != 3 or settings.class_ not in header:
        raise DataError(
            f"{path} has the header {list(header)}; with submission.class: {settings.class_} it "
            "has that column, an id and a mask column"
        )


def _roles(header: Header, settings: SubmissionConfig) -> list[str]:
    """What each column holds: the id comes before the mask, the class stands anywhere."""
    others = iter(("key", "mask"))
    return ["class" if column == settings.class_ else next(others) for column in header]


def _compare(
    path: Path, wanted: Sequence[Key], rows: Mapping[Key, Row], settings: SubmissionConfig
) -> None:
    strange = [shown(key) for key in wanted if key not in rows]
    missing = [shown(key) for key in sorted(set(rows) - set(wanted))]
    if strange:
        ours = shown(next(iter(rows), ("(none)", "")))
        raise DataError(
            f"{path} asks for {listed(strange)}, for which there is no test image; our keys look "
            f"like {ours!r} (submission.key: {settings.key!r})"
        )
    if missing:
        raise DataError(f"{path} does not ask for {listed(missing)}; are the test images its own?")


def write_checked(
    path: Path,
    header: Header,
    rows: Sequence[Row],
    runs_of: Callable[[Row], Sequence[Runs]],
    settings: SubmissionConfig,
    size_of: Callable[[str], Size],
) -> int:
    """Write the file; before it takes its place, read it back as the competition would. Returns
    how many lines there are below the header.

    runs_of: the runs (start from 0, length) of each line of a row: one, or one an instance.
    Memory holds a digest a line, not the masks. Raises DataError for a line that has another key,
    leaves the image, or does not decode to the runs that were meant.
    """
    meant: list[tuple[Row, bytes]] = []
    roles = _roles(header, settings)

    def write(stream: BinaryIO) -> None:
        lines = csv.writer(_Text(stream), lineterminator="\n")
        lines.writerow(header)
        for row in rows:
            for runs in runs_of(row) or [NO_RUNS]:
                text = rle.to_text(runs, relative=settings.relative)
                cells = {"key": row.key, "class": row.class_name, "mask": text or settings.empty}
                lines.writerow([cells[role] for role in roles])
                meant.append((row, _digest(runs)))
        stream.flush()
        _compare_with_file(Path(stream.name), roles, meant, settings, size_of)

    stream_atomic(path, write)
    return len(meant)


def _compare_with_file(
    path: Path,
    roles: Sequence[str],
    meant: Sequence[tuple[Row, bytes]],
    settings: SubmissionConfig,
    size_of: Callable[[str], Size],
) -> None:
    lines = zip(meant, _lines(path), strict=True)
    for number, ((row, digest), line) in enumerate(lines, start=2):
        cells = {"class": "", **dict(zip(roles, line, strict=False))}
        as_meant = len(line) == len(roles) and (cells["key"], cells["class"]) == row.cells
        if not (as_meant and _holds(cells["mask"], digest, settings, size_of(row.id))):
            raise DataError(
                f"line {number} ({shown(row.cells)}) does not decode to the mask that was meant; "
                "nothing was written"
            )


def _holds(text: str, digest: bytes, settings: SubmissionConfig, size: Size) -> bool:
    """Whether a text is just the runs of that digest, within the image."""
    try:
        runs = rle.from_text("" if text == settings.empty else text, relative=settings.relative)
    except DataError:
        return False
    inside = not len(runs) or int(runs[-1].sum()) <= size[0] * size[1]
    return inside and _digest(runs) == digest


def _digest(runs: Runs) -> bytes:
    return hashlib.blake2b(np.ascontiguousarray(runs, np.int64).tobytes(), digest_size=16).digest()


class _Text:
    """Lets the csv module write UTF-8 into a binary stream."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        return self._stream.write(text.encode())


def read_submission(path: Path) -> Iterator[tuple[str, str]]:
    """(key, run lengths) of every line."""
    yield from ((key, text) for key, text in _lines(path))


def _lines(path: Path) -> Iterator[list[str]]:
    """The lines of a CSV below its header."""
    csv.field_size_limit(sys.maxsize)  # Python stops at 131,072 characters: 10^4 runs
    with path.open(newline="", encoding="utf-8") as stream:
        lines = csv.reader(stream)
        next(lines)
        yield from lines
