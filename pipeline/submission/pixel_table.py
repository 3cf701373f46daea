"""A table of the label of each pixel: a row an image, or a row a pixel."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count, zip_longest
from pathlib import Path
from typing import BinaryIO, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from pipeline.atomic_files import stream_atomic
from pipeline.config import DataConfig, SubmissionConfig
from pipeline.data.row_keys import as_matched
from pipeline.ensemble.blending.threads import ordered
from pipeline.errors import DataError
from pipeline.reporting import Advance
from pipeline.size import Size
from pipeline.submission.format import SubmittedDecisions, Written
from pipeline.submission.mask_record import MaskRecord, PageDigest, kinds_of
from pipeline.submission.numbers import class_numbers, numbered, planes_of
from pipeline.submission.pixel_rows import (
    Labels,
    PixelKeys,
    header_of,
    labels_of,
    lines_of_image,
)
from pipeline.submission.planes import planes_at_size
from pipeline.submission.rows import Row, TableHeader, plan_rows
from pipeline.submission.table import TextStream, lines_of

SizeOf = Callable[[str], Size]


class _Drawn(NamedTuple):
    labels: Labels
    kinds: list[str]


@dataclass(frozen=True)
class PixelTable:
    """A table of labels; see `SubmissionFormat`."""

    settings: SubmissionConfig
    numbers: tuple[int, ...]
    rows: Sequence[Row]
    header: TableHeader | None
    """Of the sample file."""
    sample: Path | None = None

    @classmethod
    def suffix(cls, settings: SubmissionConfig) -> str:
        return ".csv"

    @classmethod
    def plan(cls, settings: SubmissionConfig, data: DataConfig, ids: Sequence[str]) -> Self:
        own = settings.model_copy(update={"sample": None})
        rows, _ = plan_rows(own, data.root, ids, data.class_names)
        keys = PixelKeys(settings, rows)
        numbers = class_numbers(settings, data)
        if settings.sample is None:
            return cls(settings, numbers, rows, None)
        path = data.root / settings.sample
        header = header_of(path)
        return cls(settings, numbers, keys.in_order_of(path, header.delimiter), header, path)

    def write(self, path: Path, decisions: SubmittedDecisions, advance: Advance) -> Written:
        record, written = MaskRecord(), count(0)

        def size_of(each: str) -> Size:
            return self.settings.size or decisions.size_of(each)

        def write(stream: BinaryIO) -> None:
            header = self.header or self._own_header(size_of)
            lines = csv.writer(TextStream(stream), delimiter=header.delimiter, lineterminator="\n")
            stream.write(f"{header.line}\n".encode())
            for row, (labels, kinds) in self._drawn(decisions):
                for line in lines_of_image(row, labels, self.settings):
                    self._refuse_other_width(len(line), header, row)
                    lines.writerow(line)
                    next(written)
                record.count(kinds)
                record.digests[row.id] = _digest(labels)
                advance(1)
            stream.flush()
            self._compare(Path(stream.name), size_of, record)

        stream_atomic(path, write)
        return Written(next(written), record.uniform)

    def _drawn(self, decisions: SubmittedDecisions) -> Iterator[tuple[Row, _Drawn]]:
        def drawn(row: Row) -> _Drawn:
            planes = planes_at_size(
                decisions.decide(row.id), self.settings.size, disjoint=decisions.recipe.multiclass
            )
            return _Drawn(numbered(planes, self.numbers, "uint16"), kinds_of(planes))

        yield from zip(self.rows, ordered(drawn, self.rows), strict=True)

    def read(self, path: Path, size_of: SizeOf) -> Iterator[tuple[str, NDArray[np.bool_]]]:
        for row, labels in self._labels(path, lambda each: self.settings.size or size_of(each)):
            yield row.id, planes_of(labels, self.numbers)

    def _own_header(self, size_of: SizeOf) -> TableHeader:
        first, last = self.settings.columns
        if self.settings.layout != "wide":
            return TableHeader.of((first, last))
        height, width = size_of(self.rows[0].id) if self.rows else (0, 0)
        return TableHeader.of((first, *map(str, range(height * width))))

    def _refuse_other_width(self, cells: int, header: TableHeader, row: Row) -> None:
        if cells != len(header.names):
            raise DataError(
                f"submission.layout: {self.settings.layout} makes {cells} columns of {row.id}, and "
                f"the header has {len(header.names)}; images of other sizes need submission.size"
            )

    def _labels(self, path: Path, size_of: SizeOf) -> Iterator[tuple[Row, Labels]]:
        lines = lines_of(path, self.header.delimiter if self.header else ",")
        for row in self.rows:
            yield row, labels_of(lines, row, size_of(row.id), self.settings)
        if next(lines, None) is not None:
            raise DataError(f"{path} has more rows than were asked for")

    def _compare(self, path: Path, size_of: SizeOf, record: MaskRecord) -> None:
        for row, labels in self._labels(path, size_of):
            if _digest(labels) != record.digests[row.id]:
                raise DataError(f"{row.key!r} does not hold its labels; nothing was written")
        if self.sample is not None and self.settings.layout == "long":
            self._compare_keys(path, self.sample)

    def _compare_keys(self, path: Path, sample: Path) -> None:
        """DataError unless the keys of all pixels are those of the sample, in its order."""
        delimiter = self.header.delimiter if self.header else ","
        asked = filter(None, lines_of(sample, delimiter))
        both = zip_longest(lines_of(path, delimiter), asked, fillvalue=[""])
        for number, (ours, theirs) in enumerate(both, start=2):
            if as_matched(ours[0]) != as_matched(theirs[0]):
                raise DataError(
                    f"{sample}, line {number}, asks for {theirs[0]!r}, and ours is {ours[0]!r} "
                    f"(submission.order: {self.settings.order}, key: {self.settings.key!r})"
                )


def _digest(labels: Labels) -> bytes:
    digest = PageDigest()
    for _ in digest.of([labels]):
        pass
    return digest.value
