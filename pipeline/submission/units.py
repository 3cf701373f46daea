"""What a mask file is about: an image, or a volume whose slices are images."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.config import DataConfig
from pipeline.config.volume import VolumeConfig
from pipeline.data.listing import listed
from pipeline.errors import DataError

Mask = NDArray[Any]
_SIDES = {"Z": 0, "Y": 1, "X": 2}


@dataclass(frozen=True)
class Unit:
    """ids: of an image, or of the slices of a volume in their order; files: one, or one a class."""

    ids: tuple[str, ...]
    files: tuple[str, ...]
    is_volume: bool = False


def named_units(file: str, data: DataConfig, ids: Sequence[str]) -> list[Unit]:
    """The units of test images, their files named by the pattern.

    DataError where two files get one name, or a name cannot be written.
    """
    classes = data.class_names if "{class}" in file else ("",)
    units = [
        Unit(members, tuple(_filled(file, name, each) for each in classes), data.volume is not None)
        for name, members in _members(data.volume, ids).items()
    ]
    owners: dict[str, str] = {}
    for unit in units:
        for name in unit.files:
            if name in owners:
                raise DataError(
                    f"submission.file: {file!r} gives {owners[name]} and {unit.ids[0]} one name, "
                    f"{name}"
                )
            owners[name] = unit.ids[0]
    return units


def _members(volume: VolumeConfig | None, ids: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """The images of each unit, by the name that stands for `{id}`."""
    if volume is None:
        return {each: (each,) for each in ids}
    slices: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for each in ids:
        name, number = volume.taken_apart(each)
        slices[name].append((number, each))
    return {name: tuple(each for _, each in sorted(some)) for name, some in slices.items()}


def _filled(file: str, id: str, class_name: str) -> str:
    said = {"{id}": id, "{class}": class_name}
    name = re.sub(r"\{id\}|\{class\}", lambda found: said[found[0]], file)
    parts = PurePosixPath(name).parts
    long = [each for each in parts if len(each.encode()) > 255]
    if "/" in id + class_name or ".." in parts or long:
        raise DataError(f"submission.file: {name!r} is no name of a file; rename it or its class")
    return name


def pages_of(
    slices: Iterator[Mask], count: int, axis: str
) -> tuple[Iterator[Mask], tuple[int, ...]]:
    """The pages of a volume and its shape ZHW, from its slices along that axis; along Z they pass
    through, else the volume is in memory.
    """
    first = next(slices)
    along = _SIDES[axis]
    shape = (*first.shape[:along], count, *first.shape[along:])
    if not along:
        return chain([first], slices), shape
    volume = np.empty(shape, first.dtype)
    for number, each in enumerate(chain([first], slices)):
        np.moveaxis(volume, along, 0)[number] = each
    return iter(volume), shape


def slices_of(mask: Mask, unit: Unit, axis: str) -> Sequence[Mask]:
    """The masks HW of a unit's images, from its file; DataError for another number of them."""
    if not unit.is_volume:
        return [mask]
    volume = mask[None] if mask.ndim == 2 else mask
    found = np.moveaxis(volume, _SIDES[axis], 0)
    if len(found) != len(unit.ids):
        raise DataError(f"{unit.files[0]} has {len(found)} slices, not {len(unit.ids)}")
    return list(found)


def compare_names(path: str, wanted: Sequence[str], units: Sequence[Unit]) -> None:
    """DataError unless the files of a sample are just those of the units."""
    ours = {name for unit in units for name in unit.files}
    strange, missing = sorted(set(wanted) - ours), sorted(ours - set(wanted))
    if strange:
        like = f"; our files are called like {min(ours)}" if ours else ""
        raise DataError(
            f"{path} has {listed(strange)}, for which there is no test image{like} "
            "(submission.file)"
        )
    if missing:
        raise DataError(
            f"{path} has no {listed(missing)}; do these test images belong to this sample?"
        )
