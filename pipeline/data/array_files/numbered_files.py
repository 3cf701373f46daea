"""A folder with a file a slice, in the order of the numbers in their names."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.data.array_files.array_file import ArrayFile, errors_named
from pipeline.data.array_files.description import described
from pipeline.data.array_files.registry import open_array
from pipeline.data.listing import enumerated
from pipeline.errors import DataError

_NUMBER = re.compile(r"\d+")


@dataclass(frozen=True)
class NumberedPixels:
    """The pixels of the files, each opened as its slice is read, since there may be thousands."""

    files: tuple[Path, ...]
    shape: tuple[int, ...]
    """Of every slice."""
    dtype: np.dtype[Any]

    def read(self, start: int, stop: int, plane: int) -> NDArray[Any]:
        found = open_array(self.files[plane])
        if (found.shape, found.dtype) != (self.shape, self.dtype):
            sides, others = ("×".join(map(str, each)) for each in (found.shape, self.shape))
            raise DataError(
                f"{found.path} holds {sides} {found.dtype}, and {self.files[0]} of the same volume "
                f"{others} {self.dtype}; take out those that are no slices of it"
            )
        return found.read(slice(start, stop))


def in_order(paths: Sequence[Path]) -> list[tuple[int, Path]]:
    """The files by the number of their slice: the last one in each name, or the last that differs
    (`slice_0001_266_266_1.50_1.50.png`). DataError where they do not count on by one.
    """
    numbers: dict[int, Path] = {}
    found = {path: list(map(int, _NUMBER.findall(path.stem))) for path in paths}
    bare = [path.name for path in paths if not found[path]]
    if bare:
        raise DataError(
            f"{paths[0].parent}: a file of a slice has its number in its name, and these have none:"
            f" {enumerated(bare)}; take them out"
        )
    place = _place_of_number(list(found.values()))
    for path in paths:
        number = found[path][place]
        if number in numbers:
            raise DataError(f"{numbers[number]} and {path} have the same number in one volume")
        numbers[number] = path
    ordered = sorted(numbers.items())
    for (low, before), (high, after) in pairwise(ordered):
        if high != low + 1:
            raise DataError(
                f"between {before} and {after.name} slices are missing; get the whole volume, or "
                "number its files without gaps"
            )
    return ordered


def open_numbered(paths: Sequence[Path], first: int) -> ArrayFile:
    """The files of slices as ZYX or ZYXC. first: what the number of the first one should be."""
    ordered = in_order(paths)
    one = open_array(ordered[0][1])
    if one.planes > 1:
        raise DataError(f"{one.path} holds {one.planes} slices itself, and is none of a volume")
    notes = list(one.notes)
    if ordered[0][0] != first:
        notes.append(
            f"the first file has the number {ordered[0][0]}, and ids count from {first} "
            "(data.volume.first)"
        )
    files = tuple(path for _, path in ordered)
    with errors_named(one.path.parent):
        return described(
            one.path.parent,
            NumberedPixels(files, one.shape, one.dtype),
            axes=f"Z{one.axes}",
            shape=(len(files), *one.shape),
            stored=one.dtype,
            no_data=one.no_data,
            notes=tuple(notes),
        )


def _place_of_number(names: Sequence[Sequence[int]]) -> int:
    """Which of the numbers in each name counts slices, from the end: -1 is the last one."""
    for place in range(-1, -min(map(len, names)) - 1, -1):
        if len({each[place] for each in names}) == len(names):
            return place
    return -1
