"""Writes the rows of a submission, and reads them back at once."""

from __future__ import annotations

import csv
import hashlib
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np

from pipeline.atomic_files import stream_atomic
from pipeline.config import SubmissionConfig
from pipeline.data import rle
from pipeline.data.rle import Runs
from pipeline.data.row_keys import named
from pipeline.errors import DataError
from pipeline.size import Size
from pipeline.submission.rows import Row, TableHeader, roles_of

NO_RUNS: Runs = np.zeros((0, 2), np.int64)


def write_checked(
    path: Path,
    header: TableHeader,
    rows: Sequence[Row],
    runs_of: Callable[[Row], Sequence[Runs]],
    settings: SubmissionConfig,
    size_of: Callable[[str], Size],
) -> int:
    """Write the file; before it takes its place, read it back as the competition would. Returns
    how many lines there are below the header.

    runs_of: the runs (start from 0, length) of each line of a row: one, or one an instance.
    Memory holds a digest a line, not the masks. Raises DataError for a line that has another key,
    leaves the image, or does not decode to the same runs.
    """
    meant: list[tuple[Row, bytes]] = []
    roles = roles_of(header.names, settings)

    def write(stream: BinaryIO) -> None:
        lines = csv.writer(_Text(stream), delimiter=header.delimiter, lineterminator="\n")
        stream.write(f"{header.line}\n".encode())
        for row in rows:
            for runs in runs_of(row) or [NO_RUNS]:
                text = rle.to_text(runs, relative=settings.relative)
                cells = {"key": row.key, "class": row.class_name, "mask": text or settings.empty}
                lines.writerow([cells[role] for role in roles])
                meant.append((row, _digest(runs)))
        stream.flush()
        found = _lines(Path(stream.name), header.delimiter)
        _compare_with_file(found, roles, meant, settings, size_of)

    stream_atomic(path, write)
    return len(meant)


def _compare_with_file(
    found: Iterable[Sequence[str]],
    roles: Sequence[str],
    meant: Sequence[tuple[Row, bytes]],
    settings: SubmissionConfig,
    size_of: Callable[[str], Size],
) -> None:
    lines = zip(meant, found, strict=True)
    for number, ((row, digest), line) in enumerate(lines, start=2):
        cells = {"class": "", **dict(zip(roles, line, strict=False))}
        as_meant = len(line) == len(roles) and (cells["key"], cells["class"]) == row.cells
        if not (as_meant and _holds(cells["mask"], digest, settings, size_of(row.id))):
            raise DataError(
                f"line {number} ({named(row.cells)}) does not decode to the mask that was encoded; "
                "nothing was written"
            )


def _holds(text: str, digest: bytes, settings: SubmissionConfig, size: Size) -> bool:
    """True if a text is just the runs of that digest, within the image."""
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


def _lines(path: Path, delimiter: str = ",") -> Iterator[list[str]]:
    """The lines of a CSV below its header."""
    csv.field_size_limit(sys.maxsize)  # Python stops at 131,072 characters: 10^4 runs
    with path.open(newline="", encoding="utf-8") as stream:
        lines = csv.reader(stream, delimiter=delimiter)
        next(lines)
        yield from lines
