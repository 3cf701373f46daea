"""JSON files with one entry a line, so that neither writing nor reading holds all of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from pipeline.atomic_files import stream_atomic
from pipeline.errors import DataError

Entry = dict[str, Any]


def write_entries(
    path: Path, before: str, entries: Iterable[Entry], after: str, check: Callable[[Path], object]
) -> int:
    """Write a list of entries between two texts; `check` is given the file before it takes its
    place. Returns how many there are.
    """
    count = 0

    def write(stream: BinaryIO) -> None:
        nonlocal count
        stream.write(before.encode())
        for entry in entries:
            stream.write(b",\n" if count else b"\n")
            stream.write(json.dumps(entry, ensure_ascii=False, separators=(",", ":")).encode())
            count += 1
        stream.write(f"\n{after}\n".encode())
        stream.flush()
        check(Path(stream.name))

    stream_atomic(path, write)
    return count


def read_entries(path: Path, before: str, after: str) -> Iterator[Entry]:
    """The entries that `write_entries` wrote; DataError where it has not."""
    with path.open(encoding="utf-8") as stream:
        if stream.readline().rstrip("\n") != before:
            raise DataError(f"{path} does not begin with {before}")
        for line in stream:
            text = line.rstrip("\n")
            if text == after:
                return
            if not text:  # of a list without entries
                continue
            try:
                entry = json.loads(text.removesuffix(","))
            except (ValueError, RecursionError) as error:
                raise DataError(f"{path} is cut or damaged: {error}") from None
            yield entry
    raise DataError(f"{path} is cut: it does not end in {after}")
