"""A DICOM series: a file a slice, put in order by where the slices are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.data.array_files import dicom
from pipeline.data.array_files.array_file import ArrayFile, errors_named
from pipeline.data.array_files.description import described
from pipeline.data.array_files.dicom_values import RESCALED
from pipeline.data.array_files.numbers import read_as
from pipeline.errors import DataError

_SAME_PLACE = 0.01
"""Of the usual step, and mm where there is no other slice."""
_GAP = 1.5
"""Of the usual step: from here on, a slice is missing."""
_UNEVEN = 0.05
_SAME_DIRECTION = 1e-3


@dataclass(frozen=True)
class Slice:
    """One file of a series, and what its header says of its place."""

    array: ArrayFile
    series: str
    directions: tuple[float, ...] | None
    """Of rows and columns, six cosines."""
    position: tuple[float, ...] | None
    """Of the first pixel, in mm."""
    location: float | None
    number: int | None
    step: float | None
    """To the next slice, as it is stated."""

    @property
    def path(self) -> Path:
        return self.array.path


@dataclass(frozen=True)
class SeriesPixels:
    """The slices of a series, in order. no_data: the one value that all of them are given."""

    slices: tuple[ArrayFile, ...]
    dtype: np.dtype[Any]
    no_data: float | None
    directions: tuple[float, ...] | None
    """Of rows and columns, six cosines; None: not said, or slices are not in order of place."""

    def read(self, start: int, stop: int, plane: int) -> NDArray[Any]:
        one = self.slices[plane]
        found = one.read(slice(start, stop))
        with errors_named(one.path):
            given = read_as(found, self.dtype)
        if one.no_data is not None and one.no_data != self.no_data:
            given[found == one.no_data] = self.no_data
        return given


def open_series(paths: Sequence[Path]) -> ArrayFile:
    """The slices of one DICOM series as ZYX or ZYXC, from the lowest place to the highest along
    the normal of the slices.

    By position; where no file has one, by slice location, else by instance number. Raises
    DataError naming the files: of several series, sizes or directions, two at one place, a gap.
    """
    slices = [_slice(path) for path in paths]
    if not slices:
        raise DataError("a DICOM series without files; name the slices of one volume")
    _require_same(slices)
    ordered, step, notes = _in_order(slices)
    first = ordered[0].array
    placed = all(each.position is not None for each in ordered)
    directions = ordered[0].directions if placed else None
    arrays = tuple(each.array for each in ordered)
    no_data = next((each.no_data for each in arrays if each.no_data is not None), None)
    stored = np.result_type(*(each.dtype for each in arrays))
    with errors_named(first.path.parent):
        return described(
            first.path.parent,
            SeriesPixels(arrays, stored, no_data, directions),
            axes=f"Z{first.axes}",
            shape=(len(arrays), *first.shape),
            stored=stored,
            no_data=no_data,
            spacing=(step, *first.spacing) if step and first.spacing else None,
            notes=(*notes, *_notes(arrays)),
        )


def _notes(arrays: tuple[ArrayFile, ...]) -> list[str]:
    """Those of all slices, each once."""
    found = list(dict.fromkeys(note for each in arrays for note in each.notes))
    rescaled = [note for note in found if note.startswith(RESCALED)]
    if len(rescaled) < 2:
        return found
    others = [note for note in found if note not in rescaled]
    return [f"{RESCALED}, each slice in its own way", *others]


def _slice(path: Path) -> Slice:
    with errors_named(path):
        header = dicom.read_header(path)
        array = dicom.described_as(path, header)
        found = Slice(
            array=array,
            series=str(header.get("SeriesInstanceUID") or ""),
            directions=_numbers(header.get("ImageOrientationPatient"), 6),
            position=_numbers(header.get("ImagePositionPatient"), 3),
            location=_number(header.get("SliceLocation")),
            number=None if (value := _number(header.get("InstanceNumber"))) is None else int(value),
            step=_number(header.get("SpacingBetweenSlices") or header.get("SliceThickness")),
        )
    if array.planes > 1:
        raise DataError(f"{path} holds {array.planes} frames and is no slice of a series")
    return found


def _number(value: Any) -> float | None:
    return None if value is None or value == "" else float(value)


def _numbers(value: Any, count: int) -> tuple[float, ...] | None:
    if value is None or value == "" or len(value) != count:
        return None
    return tuple(float(each) for each in value)


def _require_same(slices: list[Slice]) -> None:
    first = slices[0]
    for each in slices[1:]:
        both = f"{first.path} and {each.path}"
        if each.series != first.series:
            raise DataError(f"{both} are of two series; put the slices of each in its own folder")
        if each.array.shape != first.array.shape:
            sizes = ["×".join(map(str, one.array.shape)) for one in (first, each)]
            raise DataError(
                f"{both} are slices of one series and differ in size: {sizes[0]} and {sizes[1]}; "
                "take out those that are no slices of the volume"
            )
        if not _same_direction(first.directions, each.directions):
            raise DataError(
                f"{both} are slices of one series in different directions; take out the overview"
            )


def _same_direction(one: tuple[float, ...] | None, other: tuple[float, ...] | None) -> bool:
    if one is None or other is None:
        return one is other
    return bool(np.abs(np.subtract(one, other)).max() < _SAME_DIRECTION)


def _in_order(slices: list[Slice]) -> tuple[list[Slice], float | None, list[str]]:
    """The slices from low to high, the step between them in mm, and notes."""
    if all(each.position is not None and each.directions is not None for each in slices):
        ordered, step, notes = _evenly(slices, _height, "mm")
        return ordered, step or ordered[0].step, notes
    if all(each.location is not None for each in slices):
        ordered, step, notes = _evenly(slices, lambda each: float(each.location or 0), "mm")
        return ordered, step or ordered[0].step, ["no positions: ordered by location", *notes]
    if all(each.number is not None for each in slices):
        ordered, _, _ = _evenly(slices, lambda each: float(each.number or 0), "instance numbers")
        return ordered, ordered[0].step, ["no positions: ordered by instance number"]
    lacking = next(each for each in slices if each.number is None)
    raise DataError(
        f"{lacking.path} says neither its position nor its number in the series, and the slices "
        "cannot be put in order; name them in order and convert them to one volume"
    )


def _height(each: Slice) -> float:
    """Along the normal of the slices, in mm."""
    assert each.directions is not None and each.position is not None
    normal = np.cross(each.directions[:3], each.directions[3:])
    return float(np.dot(normal, each.position))


def _evenly(
    slices: list[Slice], place: Callable[[Slice], float], unit: str
) -> tuple[list[Slice], float | None, list[str]]:
    """In order of place, with the usual step. DataError for two at one place, and for a gap."""
    ordered = sorted(slices, key=place)
    if len(ordered) == 1:
        return ordered, None, []
    steps = np.diff([place(each) for each in ordered])
    usual = float(np.median(steps))
    if not np.isfinite(steps).all():
        raise DataError(f"{ordered[0].path} and others of its series have no finite positions")
    for (low, high), step in zip(pairwise(ordered), steps, strict=True):
        if step <= _SAME_PLACE * (usual if usual > 0 else 1):
            raise DataError(
                f"{low.path} and {high.path} are at the same place of one series ({place(low):g} "
                f"{unit}); take one out, or put each series in its own folder"
            )
        if step > _GAP * usual:
            raise DataError(
                f"between {low.path} and {high.path} slices are missing: they are {step:g} {unit} "
                f"apart, others {usual:g}; get the whole series"
            )
    uneven = steps.max() - steps.min() > _UNEVEN * usual
    notes = [f"slices are {steps.min():g} to {steps.max():g} {unit} apart"] if uneven else []
    return ordered, usual, notes
