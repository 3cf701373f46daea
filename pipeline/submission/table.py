"""Writes the rows of a submission, and reads them back at once."""

from __future__ import annotations

import csv
import hashlib
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from pipeline.atomic_files import stream_atomic
from pipeline.config import SubmissionConfig
from pipeline.data.row_keys import named
from pipeline.errors import DataError
from pipeline.size import Size
from pipeline.submission.cells import NO_RUNS, Cells, shown_score
from pipeline.submission.copied_cells import constant_cells
from pipeline.submission.planes import Shape
from pipeline.submission.rows import Row, TableHeader, roles_of

SizeOf = Callable[[str], Size]


@dataclass(frozen=True)
class Line:
    """What a line of the file was made from: all its cells but the mask, and a digest of that."""

    row: Row
    others: tuple[str, ...]
    digest: bytes


def write_checked(
    path: Path,
    header: TableHeader,
    rows: Sequence[Row],
    shapes_of: Callable[[Row], Sequence[Shape]],
    cells: Cells,
    size_of: SizeOf,
) -> int:
    """Write the file; before it takes its place, read it back as the competition would. Returns
    how many lines there are below the header.

    shapes_of: the shapes of a row; one, or one an instance, which stand in lines of their own
    unless they are joined. Memory holds a digest a line, not the masks. Raises DataError for a
    line that has another key, leaves the image, or does not decode to the same runs.
    """
    meant: list[Line] = []
    settings = cells.settings
    roles = roles_of(header.names, settings)

    def write(stream: BinaryIO) -> None:
        lines = csv.writer(TextStream(stream), delimiter=header.delimiter, lineterminator="\n")
        stream.write(f"{header.line}\n".encode())
        for row in rows:
            size = size_of(row.id)
            for shapes in _by_line(shapes_of(row), settings):
                said = _other_cells(row, shapes, settings, size)
                said["mask"] = cells.write(shapes, size)
                lines.writerow([said[role] for role in roles])
                others = tuple(said[role] for role in roles if role != "mask")
                meant.append(Line(row, others, _digest(shapes, settings)))
        stream.flush()
        _compare_with_file(
            lines_of(Path(stream.name), header.delimiter), roles, meant, cells, size_of
        )

    stream_atomic(path, write)
    return len(meant)


def _by_line(shapes: Sequence[Shape], settings: SubmissionConfig) -> Sequence[Sequence[Shape]]:
    if settings.join is not None:
        return [shapes]
    return [[each] for each in shapes] or [[Shape(NO_RUNS)]]


def _other_cells(
    row: Row, shapes: Sequence[Shape], settings: SubmissionConfig, size: Size
) -> dict[str, str]:
    """The cells besides that of the mask, by role."""
    score = max((each.score for each in shapes), default=0.0)
    said = {"key": row.key, "class": row.class_name, "score": shown_score(score)}
    named_cells = constant_cells(settings.constant, row.id, row.class_name, size)
    named_cells |= dict(zip(settings.copied, row.copied, strict=True))
    return said | {f"={column}": text for column, text in named_cells.items()}


def _compare_with_file(
    found: Iterable[Sequence[str]],
    roles: Sequence[str],
    meant: Sequence[Line],
    cells: Cells,
    size_of: SizeOf,
) -> None:
    at = roles.index("mask")
    for number, (each, line) in enumerate(zip(meant, found, strict=True), start=2):
        as_meant = len(line) == len(roles) and (*line[:at], *line[at + 1 :]) == each.others
        if not (as_meant and _holds(line[at], each.digest, cells, size_of(each.row.id))):
            raise DataError(
                f"line {number} ({named(each.row.cells)}) does not decode to the mask that was "
                "encoded; nothing was written"
            )


def _holds(text: str, digest: bytes, cells: Cells, size: Size) -> bool:
    """True if a text is just the shapes of that digest, within the image."""
    try:
        return _digest(cells.read(text, size), cells.settings) == digest
    except DataError:
        return False


def _digest(shapes: Sequence[Shape], settings: SubmissionConfig) -> bytes:
    """Of what a cell says of its shapes that are not empty."""
    digest = hashlib.blake2b(digest_size=16)
    for each in shapes:
        if not len(each.runs):
            continue
        if "{class}" in settings.cell:
            digest.update(f"{each.plane} ".encode())
        if "{score}" in settings.cell:
            digest.update(f"{shown_score(each.score)} ".encode())
        digest.update(len(each.runs).to_bytes(8, "little"))
        digest.update(np.ascontiguousarray(each.runs, np.int64).tobytes())
    return digest.digest()


class TextStream:
    """Lets the csv module write UTF-8 into a binary stream."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        return self._stream.write(text.encode())


def lines_of(path: Path, delimiter: str = ",") -> Iterator[list[str]]:
    """The lines of a CSV below its header; DataError where it is no text."""
    csv.field_size_limit(sys.maxsize)  # Python stops at 131,072 characters: 10^4 runs
    with path.open(newline="", encoding="utf-8") as stream:
        lines = csv.reader(stream, delimiter=delimiter)
        try:
            next(lines, None)
            yield from lines
        except (UnicodeDecodeError, csv.Error) as error:
            raise DataError(
                f"{path} cannot be read as CSV ({error}); save the table as UTF-8"
            ) from None
