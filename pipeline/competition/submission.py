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
from pipeline.competition.masks import table_key
from pipeline.config import SubmissionConfig
from pipeline.errors import DataError
from pipeline.workspace import stream_atomic

Size = tuple[int, int]
Runs = NDArray[np.int64]
NO_RUNS: Runs = np.zeros((0, 2), np.int64)


@dataclass(frozen=True)
class Row:
    """One line of the file: which sample and class it is about, and what it is called."""

    key: str
    id: str
    plane: int


def plan_rows(
    settings: SubmissionConfig, root: Path, ids: Sequence[str], classes: Sequence[str]
) -> tuple[list[Row], tuple[str, str]]:
    """The keys to send in order, and the header.

    With a sample file, its header, ids and order; DataError when its ids are not the test
    images'. Without one, the ids in order, classes in order within them.
    """
    names = classes if settings.rows == "class" else ("",)
    rows = {
        key: Row(key, sample_id, plane)
        for sample_id in ids
        for plane, name in enumerate(names)
        for key in [table_key(settings.key, sample_id, name)]
    }
    if len(rows) < len(ids) * len(names):
        raise DataError(f"submission.key: {settings.key!r} calls two (image, class) the same")
    if settings.sample is None:
        return list(rows.values()), settings.columns
    path = root / settings.sample
    table = read_table(path, ())
    header = table.columns.tolist()
    if len(header) != 2:
        raise DataError(f"{path} has the header {header}; a sample has an id and a mask column")
    wanted = list(dict.fromkeys(table[header[0]].tolist()))
    _compare(path, wanted, rows, settings)
    return [rows[key] for key in wanted], (header[0], header[1])


def _compare(
    path: Path, wanted: Sequence[str], rows: Mapping[str, Row], settings: SubmissionConfig
) -> None:
    strange = [key for key in wanted if key not in rows]
    missing = sorted(set(rows) - set(wanted))
    if strange:
        raise DataError(
            f"{path} asks for {listed(strange)}, for which there is no test image; our keys look "
            f"like {next(iter(rows), '(none)')!r} (submission.key: {settings.key!r})"
        )
    if missing:
        raise DataError(f"{path} does not ask for {listed(missing)}; are the test images its own?")


def write_checked(
    path: Path,
    header: tuple[str, str],
    rows: Sequence[Row],
    runs_of: Callable[[Row], Sequence[Runs]],
    settings: SubmissionConfig,
    size_of: Callable[[str], Size],
) -> None:
    """Write the file; before it takes its place, read it back as the competition would.

    runs_of: the runs (start from 0, length) of each line of a row: one, or one an instance.
    Memory holds a digest a line, not the masks. Raises DataError for a line that has another key,
    leaves the image, or does not decode to the runs that were meant.
    """
    meant: list[tuple[Row, bytes]] = []

    def write(stream: BinaryIO) -> None:
        lines = csv.writer(_Text(stream), lineterminator="\n")
        lines.writerow(header)
        for row in rows:
            for runs in runs_of(row) or [NO_RUNS]:
                text = rle.to_text(runs, relative=settings.relative)
                lines.writerow([row.key, text or settings.empty])
                meant.append((row, _digest(runs)))
        stream.flush()
        _compare_with_file(Path(stream.name), meant, settings, size_of)

    stream_atomic(path, write)


def _compare_with_file(
    path: Path,
    meant: Sequence[tuple[Row, bytes]],
    settings: SubmissionConfig,
    size_of: Callable[[str], Size],
) -> None:
    lines = zip(meant, _lines(path), strict=True)
    for number, ((row, digest), line) in enumerate(lines, start=2):
        key, text = line if len(line) == 2 else ("", "")
        if key != row.key or not _holds(text, digest, settings, size_of(row.id)):
            raise DataError(
                f"line {number} ({row.key}) does not decode to the mask that was meant; "
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
