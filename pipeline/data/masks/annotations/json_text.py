"""Reads JSON piece by piece, so that a file of a gigabyte takes little more than its text."""

from __future__ import annotations

import json
import re
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.data.images import read_bytes
from pipeline.errors import DataError

_BLANKS = re.compile(r"[ \t\r\n]*")
_DECODER = json.JSONDecoder()


@dataclass(frozen=True)
class Piece:
    """A value of a file: of a key of the whole, or one of the list that is there."""

    key: str
    """ "" where the whole file is a list."""
    value: Any
    start: int
    stop: int
    listed: bool
    """True if it is one of a list."""


@dataclass(frozen=True)
class JsonText:
    """The text of a file; DataError, with the line, where it is not JSON."""

    path: Path
    text: str

    @classmethod
    def read(cls, path: Path) -> JsonText:
        """The file's text: UTF-8, or UTF-16 with a mark."""
        data = read_bytes(path)
        kind = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
        try:
            return cls(path, data.decode(kind))
        except UnicodeDecodeError:
            raise DataError(f"{path} is not JSON: it is not text in UTF-8") from None

    def whole(self) -> Any:
        """All of it."""
        value, end = self._decode(self._after_blanks(0))
        self._end(end)
        return value

    def at(self, start: int) -> Any:
        """The value that starts there, for a second time."""
        return self._decode(start)[0]

    def pieces(self) -> Iterator[Piece]:
        """The values of an object, or of a list, one after the other; lists are taken apart."""
        at = self._after_blanks(0)
        if self.text[at : at + 1] == "[":
            at = yield from self._list("", at)
        elif self.text[at : at + 1] == "{":
            at = yield from self._object(at)
        else:
            raise DataError(f"{self.path} is not JSON with an object or a list")
        self._end(at)

    def _object(self, at: int) -> Generator[Piece, None, int]:
        """The values of an object; returns the place behind it, as `_list` does."""
        at = self._after_blanks(at + 1)
        while self.text[at : at + 1] != "}":
            if self.text[at : at + 1] != '"':
                raise self._error(at, "a key in double quotes is missing")
            key, at = self._decode(at)
            at = self._after_blanks(self._expected(":", self._after_blanks(at)))
            if self.text[at : at + 1] == "[":
                at = yield from self._list(key, at)
            else:
                value, end = self._decode(at)
                yield Piece(key, value, at, end, listed=False)
                at = end
            at = self._next("}", at)
        return at + 1

    def _list(self, key: str, at: int) -> Generator[Piece, None, int]:
        start, count = at, 0
        at = self._after_blanks(at + 1)
        while self.text[at : at + 1] != "]":
            value, end = self._decode(at)
            yield Piece(key, value, at, end, listed=True)
            at, count = self._next("]", end), count + 1
        if not count:
            yield Piece(key, [], start, at + 1, listed=False)
        return at + 1

    def _next(self, closing: str, at: int) -> int:
        """The place of the next member, or of what closes the group."""
        at = self._after_blanks(at)
        if self.text[at : at + 1] == closing:
            return at
        at = self._after_blanks(self._expected(",", at))
        if self.text[at : at + 1] == closing:
            raise self._error(at, "a value is missing after the comma")
        return at

    def _expected(self, letter: str, at: int) -> int:
        if self.text[at : at + 1] != letter:
            raise self._error(at, f"{letter!r} is missing")
        return at + 1

    def _after_blanks(self, at: int) -> int:
        found = _BLANKS.match(self.text, at)
        return found.end() if found else at

    def _end(self, at: int) -> None:
        if self._after_blanks(at) != len(self.text):
            raise self._error(at, "something follows the end")

    def _decode(self, at: int) -> tuple[Any, int]:
        try:
            return _DECODER.raw_decode(self.text, at)
        except json.JSONDecodeError as error:
            raise self._error(error.pos, error.msg) from None
        except StopIteration as error:
            raise self._error(int(error.value), "a value is missing") from None
        except (ValueError, RecursionError) as error:  # numbers of 5000 digits, 1000 brackets
            raise self._error(at, str(error) or "too deep") from None

    def _error(self, at: int, text: str) -> DataError:
        line = self.text.count("\n", 0, at) + 1
        cut = "; the file ends there, so get it again" if at >= len(self.text.rstrip()) else ""
        return DataError(f"{self.path} is not JSON: line {line}: {text}{cut}")
