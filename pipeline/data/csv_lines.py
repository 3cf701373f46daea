"""The text of a CSV file, and its records with the line at which each begins."""

from __future__ import annotations

import codecs
import csv
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from pipeline.errors import DataError

_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",  # before UTF-16, whose mark it begins with
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_ARCHIVES = {b"PK\x03\x04": "a zip archive or an Excel workbook", b"\x1f\x8b": "a gzip archive"}
_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")


def read_text(path: Path, most_bytes: int = -1) -> str:
    """The text of a file: UTF-8, or UTF-16 and -32 with their mark, which is left out.

    most_bytes: where to stop, after the last whole line before it; -1: at the end. DataError, with
    the line, for content that is not text: another encoding, or a NUL byte.
    """
    try:
        with path.open("rb") as stream:
            raw = stream.read(most_bytes)
            is_cut = bool(stream.read(1))
    except FileNotFoundError:
        raise DataError(f"{path} is missing") from None
    except OSError as error:
        raise DataError(f"{path} cannot be read as CSV: {error.strerror}") from None
    for start, what in _ARCHIVES.items():
        if raw.startswith(start):
            raise DataError(f"{path} cannot be read as CSV: it is {what}; unpack or export it")
    encoding = next((name for mark, name in _MARKS.items() if raw.startswith(mark)), "utf-8")
    try:
        cut = codecs.getincrementaldecoder(encoding)()
        text = cut.decode(raw) if is_cut else raw.decode(encoding)
    except UnicodeDecodeError as error:
        line = _line_at(raw[: error.start].decode(encoding, "replace"))
        raise DataError(
            f"{path} cannot be read as CSV: line {line} holds {raw[error.start : error.end]!r}, "
            "which is not UTF-8; save the table as UTF-8"
        ) from None
    if "\0" in text:
        line = _line_at(text[: text.index("\0")])
        raise DataError(
            f"{path} cannot be read as CSV: line {line} holds a NUL byte; the file is damaged, or "
            "UTF-16 without its byte-order mark"
        )
    return text[: max(map(text.rfind, "\r\n")) + 1] if is_cut else text


def records_of(
    text: str, path: Path, delimiter: str = ",", *, spaced: bool = False
) -> Iterator[tuple[int, list[str]]]:
    """(number of its first line, cells) of every record; blank lines have no cells.

    spaced: whether a quoted cell may have blanks before it. DataError, with the line, for a quote
    that is not closed where its cell ends.
    """
    csv.field_size_limit(sys.maxsize)  # Python stops at 131,072 characters: 10^4 runs
    reader = csv.reader(lines_of(text), delimiter=delimiter, skipinitialspace=spaced, strict=True)
    begin = 1
    try:
        for cells in reader:
            yield begin, cells
            begin = reader.line_num + 1
    except csv.Error:
        raise DataError(
            f'{path} cannot be read as CSV: line {begin} has a quote (") that opens a cell and is '
            "not closed at the end of it; remove it, or double the quotes within a quoted cell"
        ) from None


def lines_of(text: str) -> Iterator[str]:
    """Lines with their ends: LF, CR LF or CR, and nothing else that Unicode calls one."""
    return (match[0] for match in _LINE.finditer(text))


def _line_at(before: str) -> int:
    """The number of the line at which a text that goes on after `before` is."""
    return sum(1 for _ in lines_of(before + "."))
