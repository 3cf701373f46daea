"""Formats that list shapes in JSON: one entry a shape, none for an empty mask."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pipeline.config import SubmissionConfig
from pipeline.data import rle
from pipeline.ensemble.blending.threads import ordered
from pipeline.errors import DataError
from pipeline.reporting import Advance
from pipeline.size import Size
from pipeline.submission.cells import shown_score
from pipeline.submission.format import SubmittedDecisions, Written
from pipeline.submission.json_rows import Entry, read_entries, write_entries
from pipeline.submission.mask_record import uniform_kinds
from pipeline.submission.planes import Shape, kind_of, shapes_of_image
from pipeline.submission.rows import Row

ImageKey = int | str
SizeOf = Callable[[str], Size]


class Notation(Protocol):
    """How a shape is written. before, after: the text around the entries."""

    @property
    def before(self) -> str: ...

    @property
    def after(self) -> str: ...

    def entry(self, image: ImageKey, shape: Shape, size: Size) -> Entry:
        """What stands for a shape (its runs down columns) of an image of H, W."""
        ...

    def image(self, entry: Entry) -> ImageKey:
        """The image that an entry is about; KeyError or TypeError where it says none."""
        ...

    def shape(self, entry: Entry, size: Size) -> Shape:
        """The shape of an entry; DataError, LookupError, TypeError or ValueError for none."""
        ...


@dataclass(frozen=True)
class ShapeList:
    """A list of shapes; see `SubmissionFormat`. keys: what the file calls each image."""

    settings: SubmissionConfig
    notation: Notation
    keys: Mapping[str, ImageKey]
    classes: int
    left_out: Collection[int] = ()
    """Places of classes that are not listed."""

    @property
    def rows(self) -> Sequence[Row]:
        return [Row(str(key), each, 0) for each, key in self.keys.items()]

    def write(self, path: Path, decisions: SubmittedDecisions, advance: Advance) -> Written:
        kinds: dict[int, Counter[str]] = defaultdict(Counter)
        digests: dict[str, bytes] = {}
        down = self.settings.model_copy(update={"order": "column"})

        def size_of(each: str) -> Size:
            return self.settings.size or decisions.size_of(each)

        def found(each: str) -> list[Sequence[Shape]]:
            by_class = shapes_of_image(decisions, each, down)
            return [() if plane in self.left_out else some for plane, some in enumerate(by_class)]

        def entries() -> Iterator[Entry]:
            for each, by_class in zip(self.keys, ordered(found, list(self.keys)), strict=True):
                size = size_of(each)
                for plane in set(range(self.classes)).difference(self.left_out):
                    shapes = by_class[plane]
                    kinds[plane][kind_of(shapes, size)] += 1
                full = [each for shapes in by_class for each in shapes if len(each.runs)]
                digests[each] = _digest(full)
                yield from (self.notation.entry(self.keys[each], shape, size) for shape in full)
                advance(1)

        def check(stored: Path) -> None:
            left = {each: digest for each, digest in digests.items() if digest != _digest([])}
            for each, shapes in self._shapes(stored, size_of):
                if left.pop(each, None) != _digest(shapes):
                    raise DataError(f"{each} does not decode to its masks; nothing was written")
            if left:
                raise DataError(f"{next(iter(left))} is not in the file; nothing was written")

        notation = self.notation
        count = write_entries(path, notation.before, entries(), notation.after, check)
        return Written(count, uniform_kinds(kinds))

    def read(self, path: Path, size_of: SizeOf) -> Iterator[tuple[str, NDArray[np.bool_]]]:
        found = dict(self._shapes(path, lambda each: self.settings.size or size_of(each)))
        for each in self.keys:
            size = self.settings.size or size_of(each)
            planes = np.zeros((self.classes, *size), np.bool_)
            for shape in found.get(each, ()):
                planes[shape.plane] |= rle.mask_of(shape.runs, size, "column")
            yield each, planes

    def _shapes(self, path: Path, size_of: SizeOf) -> Iterator[tuple[str, list[Shape]]]:
        """The shapes of each image that has some, in the order of the file."""
        ids = {key: each for each, key in self.keys.items()}
        entries = read_entries(path, self.notation.before, self.notation.after)
        try:
            for key, some in groupby(entries, self.notation.image):
                each = ids[key]
                yield each, [self.notation.shape(entry, size_of(each)) for entry in some]
        except (LookupError, TypeError, ValueError) as error:
            raise DataError(f"{path} holds an entry that says no shape: {error!r}") from None


def _digest(shapes: Sequence[Shape]) -> bytes:
    digest = hashlib.blake2b(digest_size=16)
    for each in shapes:
        digest.update(f"{each.plane} {shown_score(each.score)} {len(each.runs)} ".encode())
        digest.update(np.ascontiguousarray(each.runs, np.int64).tobytes())
    return digest.digest()
