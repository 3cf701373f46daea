"""How masks are written in the cells of a table, and read from them."""

from __future__ import annotations

import base64
import json
import re
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.config import SubmissionConfig
from pipeline.data import rle
from pipeline.data.masks.annotations.coco_rle import compress, counts_of, expand, runs_of_counts
from pipeline.data.masks.annotations.regions import RegionError
from pipeline.data.rle import Runs
from pipeline.errors import DataError
from pipeline.size import Size
from pipeline.submission.planes import Shape

NO_RUNS: Runs = np.zeros((0, 2), np.int64)
_DIGITS = 6


@dataclass(frozen=True)
class Encoding:
    """write: runs → text; read: text → runs, DataError where it says none; pattern: of the text."""

    write: Callable[[Runs, Size, bool], str]
    read: Callable[[str, Size, bool], Runs]
    pattern: str


def _write_json(runs: Runs, size: Size, relative: bool) -> str:
    return f"[{rle.to_text(runs, relative=relative).replace(' ', ', ')}]"


def _read_json(text: str, size: Size, relative: bool) -> Runs:
    try:
        numbers = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DataError(f"is no JSON: {error}") from None
    if not isinstance(numbers, list) or any(type(each) is not int for each in numbers):
        raise DataError("is no list of whole numbers")
    return rle.from_text(" ".join(map(str, numbers)), relative=relative)


def _read_coco(text: str, size: Size, relative: bool) -> Runs:
    try:
        counts = expand(text)
    except RegionError as error:
        raise DataError(str(error)) from None
    if sum(counts) != size[0] * size[1] or min(counts) < 0:
        raise DataError(f"its counts do not make {size[0] * size[1]} pixels")
    return runs_of_counts(counts)


def _read_packed(text: str, size: Size, relative: bool) -> Runs:
    try:
        unpacked = zlib.decompress(base64.b64decode(text, validate=True)).decode("ascii")
    except (ValueError, zlib.error) as error:
        raise DataError(f"is no base64 of zlib: {error}") from None
    return _read_coco(unpacked, size, relative)


def _write_packed(runs: Runs, size: Size, relative: bool) -> str:
    packed = zlib.compress(compress(counts_of(runs, size)).encode(), zlib.Z_BEST_COMPRESSION)
    return base64.b64encode(packed).decode("ascii")


ENCODINGS = {
    "runs": Encoding(
        lambda runs, _, relative: rle.to_text(runs, relative=relative),
        lambda text, _, relative: rle.from_text(text, relative=relative),
        r"\d+(?: \d+)*",
    ),
    "json": Encoding(_write_json, _read_json, r"\[[^\]]*\]"),
    "coco": Encoding(lambda runs, size, _: compress(counts_of(runs, size)), _read_coco, "[0-o]+"),
    "coco_zlib": Encoding(_write_packed, _read_packed, "[A-Za-z0-9+/=]+"),
}
"""By `submission.encoding`."""


def shown_score(score: float) -> str:
    """As it is written: the same digits wherever it was computed."""
    return f"{score:.{_DIGITS}f}"


@dataclass(frozen=True)
class Cells:
    """Writes and reads the mask cells of one submission. numbers: of the classes."""

    settings: SubmissionConfig
    numbers: Sequence[int] = (1,)

    def write(self, shapes: Sequence[Shape], size: Size) -> str:
        """The cell of one shape or, where they are joined, of several."""
        parts = [self._part(each, size) for each in shapes if len(each.runs)]
        return (self.settings.join or "").join(parts) or self.settings.empty

    def read(self, text: str, size: Size) -> list[Shape]:
        """The shapes of a cell, none for an empty one; DataError where it says no masks."""
        if text == self.settings.empty:
            return []
        if self.settings.cell == "{mask}" and self.settings.join is None:
            return [Shape(self._runs(text, size))]
        return list(self._parts(text, size))

    def _part(self, shape: Shape, size: Size) -> str:
        settings = self.settings
        mask = ENCODINGS[settings.encoding].write(shape.runs, size, settings.relative)
        said = {
            "{mask}": mask,
            "{score}": shown_score(shape.score),
            "{class}": str(self.numbers[shape.plane]),
        }
        return re.sub(r"\{\w+\}", lambda found: said[found[0]], settings.cell)

    def _runs(self, text: str, size: Size) -> Runs:
        settings = self.settings
        runs = ENCODINGS[settings.encoding].read(text, size, settings.relative)
        if len(runs) and int(runs[-1].sum()) > size[0] * size[1]:
            pixels = size[0] * size[1]
            raise DataError(f"run {len(runs)}: ends past the last of the image's {pixels} pixels")
        return runs

    def _parts(self, text: str, size: Size) -> Iterator[Shape]:
        place, join = 0, self.settings.join or ""
        while place < len(text):
            if place:
                if not join or not text.startswith(join, place):
                    raise DataError(f"has something else than {join!r} after a mask")
                place += len(join)
            found = self._pattern.match(text, place)
            if found is None:
                raise DataError(
                    f"is not of the form {self.settings.cell!r} from letter {place + 1}"
                )
            place = found.end()
            said = found.groupdict()
            number = int(said.get("class") or self.numbers[0])
            if number not in self.numbers:
                raise DataError(f"names the class {number}, which there is not")
            plane = self.numbers.index(number)
            yield Shape(self._runs(said["mask"], size), plane, float(said.get("score") or 0))

    @property
    def _pattern(self) -> re.Pattern[str]:
        patterns = {
            "{mask}": f"(?P<mask>{ENCODINGS[self.settings.encoding].pattern})",
            "{score}": r"(?P<score>\d\.\d+)",
            "{class}": r"(?P<class>\d+)",
        }
        pieces = re.split(r"(\{\w+\})", self.settings.cell)
        return re.compile("".join(patterns.get(each, re.escape(each)) for each in pieces))
