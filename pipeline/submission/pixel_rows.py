"""The rows of a table of labels: how the pixels of an image stand in them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.config import SubmissionConfig
from pipeline.config.choices import RleOrder
from pipeline.data.listing import listed
from pipeline.data.row_keys import as_matched
from pipeline.data.tables import open_table
from pipeline.errors import DataError
from pipeline.size import Size
from pipeline.submission.rows import Row, TableHeader
from pipeline.submission.table import lines_of

Labels = NDArray[Any]
"""HW uint16."""
_HEAD = 2**22  # bytes of a sample in which its header is


def header_of(path: Path) -> TableHeader:
    """The header of a sample, however many rows it has."""
    table = open_table(path, (), _HEAD)
    return TableHeader(table.header, table.header_line, table.delimiter)


@dataclass(frozen=True)
class PixelKeys:
    """The rows of images by their keys."""

    settings: SubmissionConfig
    rows: Sequence[Row]

    def in_order_of(self, path: Path, delimiter: str) -> list[Row]:
        """The rows in the order of a sample; DataError when it asks for others."""
        wanted = self._first_keys(path, delimiter)
        known = {as_matched(_key(row, 0, (1, 1), self.settings)): row for row in self.rows}
        strange = [each for each in wanted if as_matched(each) not in known]
        if strange:
            raise DataError(
                f"{path} asks for {listed(strange)}, for which there is no test image; our keys "
                f"look like {next(iter(known), '')!r} (submission.key: {self.settings.key!r})"
            )
        if missing := sorted(set(known) - set(map(as_matched, wanted))):
            raise DataError(
                f"{path} does not ask for {listed(missing)}; do these test images belong to this "
                "sample file?"
            )
        if self.settings.layout == "long":
            return [known[as_matched(each)] for each in wanted]
        return [replace(known[as_matched(each)], key=each) for each in wanted]

    def _first_keys(self, path: Path, delimiter: str) -> list[str]:
        """The key of each image's first row."""
        keys = (line[0] for line in lines_of(path, delimiter) if line)
        if self.settings.layout != "long":
            return list(keys)
        first = {as_matched(_key(row, 0, (1, 1), self.settings)) for row in self.rows}
        return [each for each in keys if as_matched(each) in first]


def _key(row: Row, place: int, size: Size, settings: SubmissionConfig) -> str:
    """The key of the pixel that is the `place`th from 0 in the order of the settings."""
    if settings.layout != "long":
        return row.key
    down, across = _row_and_column(place, size, settings.order)
    said = {"{row}": down, "{column}": across, "{pixel}": place + 1}
    key = row.key
    for name, number in said.items():
        key = key.replace(name, str(number))
    return key


def _row_and_column(place: int, size: Size, order: RleOrder) -> tuple[int, int]:
    if order == "row":
        return divmod(place, size[1])
    across, down = divmod(place, size[0])
    return down, across


def _flat(labels: Labels, order: RleOrder) -> list[int]:
    flat: list[int] = labels.ravel("C" if order == "row" else "F").tolist()
    return flat


def lines_of_image(row: Row, labels: Labels, settings: SubmissionConfig) -> Iterator[list[str]]:
    """The cells of each line about an image."""
    texts = list(map(str, _flat(labels, settings.order)))
    size = (labels.shape[0], labels.shape[1])
    if settings.layout == "wide":
        yield [row.key, *texts]
    elif settings.layout == "list":
        yield [row.key, " ".join(texts)]
    else:
        yield from ([_key(row, at, size, settings), text] for at, text in enumerate(texts))


def labels_of(
    lines: Iterator[list[str]], row: Row, size: Size, settings: SubmissionConfig
) -> Labels:
    """The labels HW that the next lines hold; DataError where they are not of this image."""
    several = size[0] * size[1] if settings.layout == "long" else 1
    own = list(islice(lines, several))
    keys = [_key(row, at, size, settings) for at in range(several)]
    if [line[0] for line in own if len(line) > 1] != keys:
        raise DataError(f"the rows of {row.key!r} are missing, or have other keys or no labels")
    if settings.layout == "wide":
        texts = own[0][1:]
    elif settings.layout == "list":
        texts = own[0][1].split(" ")
    else:
        texts = [line[1] for line in own]
    try:
        numbers = np.array(texts, np.int64)
    except ValueError:
        raise DataError(f"the rows of {row.key!r} hold labels that are no whole numbers") from None
    if numbers.size != size[0] * size[1]:
        raise DataError(
            f"the rows of {row.key!r} hold {numbers.size} labels, its mask {size[0] * size[1]}"
        )
    return numbers.astype(np.uint16).reshape(size, order="C" if settings.order == "row" else "F")
