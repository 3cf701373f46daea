"""Planes of a volume as images, and volumes sliced along another side."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from pipeline.data.array_files.array_file import ArrayFile
from pipeline.data.array_files.whole_arrays import MOST_KEPT, whole_array

_OF_SLICES = "are read as slices"
"""End of a note that says no more than the experiment does."""


@dataclass(frozen=True)
class OnePlane:
    """The pixels of one plane of a volume."""

    volume: ArrayFile
    number: int

    def read(self, start: int, stop: int, plane: int) -> NDArray[Any]:
        return self.volume.read(slice(start, stop), self.number)


def one_plane(volume: ArrayFile, number: int, path: Path) -> ArrayFile:
    """A plane of a volume as an image of its own; path: what it is called in messages."""
    return replace(
        volume,
        path=path,
        axes=volume.axes.replace("Z", ""),
        shape=volume.plane_shape,
        spacing=volume.spacing[-2:] if volume.spacing else None,
        notes=tuple(note for note in volume.notes if not note.endswith(_OF_SLICES)),
        pixels=OnePlane(volume, number),
    )


@dataclass(frozen=True)
class Resliced:
    """The planes of a volume along Y or X; their rows are along Z.

    The volume is read whole, and kept for the next plane, where it is not too large for that.
    """

    volume: ArrayFile
    axis: Literal["Y", "X"]

    def read(self, start: int, stop: int, plane: int) -> NDArray[Any]:
        volume = self.volume
        needed = volume.dtype.itemsize * prod(volume.shape)
        if needed <= MOST_KEPT:
            part = f"sides of {hash(volume.pixels)}"  # of an npz there may be several
            whole = whole_array(volume.path, part, needed, self._whole)
            rows_of_it = whole[start:stop]
            return np.array(rows_of_it[:, plane] if self.axis == "Y" else rows_of_it[:, :, plane])
        if self.axis == "Y":
            rows = slice(plane, plane + 1)
            return np.stack([volume.read(rows, each)[0] for each in range(start, stop)])
        return np.stack([volume.read(plane=each)[:, plane] for each in range(start, stop)])

    def _whole(self) -> NDArray[Any]:
        return np.stack([self.volume.read(plane=each) for each in range(self.volume.planes)])


def sliced_along(volume: ArrayFile, axis: Literal["Z", "Y", "X"]) -> ArrayFile:
    """A volume ZYX or ZYXC as one whose planes follow each other along a side of it."""
    if axis == "Z" or "Z" not in volume.axes:
        return volume
    order = [1, 0, 2] if axis == "Y" else [2, 0, 1]
    return replace(
        volume,
        shape=(*(volume.shape[side] for side in order), *volume.shape[3:]),
        spacing=tuple(volume.spacing[side] for side in order) if volume.spacing else None,
        pixels=Resliced(volume, axis),
    )
