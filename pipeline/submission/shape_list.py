"""Formats that list shapes in JSON: one entry a shape, none for an empty mask."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, groupby
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
        record = _Record()

        def size_of(each: str) -> Size:
            return self.settings.size or decisions.size_of(each)

        def entries() -> Iterator[Entry]:
            for each, by_class in self._decided(decisions):
                size = size_of(each)
                record.add(each, by_class, size)
                shapes = chain.from_iterable(by_class.values())
                full = [shape for shape in shapes if len(shape.runs)]
                yield from (self.notation.entry(self.keys[each], shape, size) for shape in full)
                advance(1)

        def check(stored: Path) -> None:
            record.compare(self._shapes(stored, size_of))

        notation = self.notation
        count = write_entries(path, notation.before, entries(), notation.after, check)
        return Written(count, uniform_kinds(record.kinds))

    def _decided(
        self, decisions: SubmittedDecisions
    ) -> Iterator[tuple[str, dict[int, Sequence[Shape]]]]:
        """Each image, and the shapes of its classes by their places."""
        down = self.settings.model_copy(update={"order": "column"})

        def found(each: str) -> dict[int, Sequence[Shape]]:
            by_class = enumerate(shapes_of_image(decisions, each, down))
            return {plane: shapes for plane, shapes in by_class if plane not in self.left_out}

        ids = list(self.keys)
        yield from zip(ids, ordered(found, ids), strict=True)

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


@dataclass
class _Record:
    """What the entries were made from: a digest an image, and the kinds of its planes."""

    digests: dict[str, bytes] = field(default_factory=dict)
    kinds: dict[int, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))

    def add(self, each: str, by_class: Mapping[int, Sequence[Shape]], size: Size) -> None:
        for plane, shapes in by_class.items():
            self.kinds[plane][kind_of(shapes, size)] += 1
        full = [shape for shapes in by_class.values() for shape in shapes if len(shape.runs)]
        if full:
            self.digests[each] = _digest(full)

    def compare(self, stored: Iterable[tuple[str, Sequence[Shape]]]) -> None:
        """DataError where the shapes of an image are missing, or are others."""
        left = dict(self.digests)
        for each, shapes in stored:
            if left.pop(each, None) != _digest(shapes):
                raise DataError(f"{each} does not decode to its masks; nothing was written")
        if left:
            raise DataError(f"{next(iter(left))} is not in the file; nothing was written")


def _digest(shapes: Sequence[Shape]) -> bytes:
    digest = hashlib.blake2b(digest_size=16)
    for each in shapes:
        digest.update(f"{each.plane} {shown_score(each.score)} {len(each.runs)} ".encode())
        digest.update(np.ascontiguousarray(each.runs, np.int64).tobytes())
    return digest.digest()
