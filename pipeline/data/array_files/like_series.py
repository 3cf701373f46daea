"""A NIfTI in the order of the DICOM series that it belongs to.

NIfTI is read as x to the right, y to the front, z to the head; a series as its slices lie.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.data.array_files.array_file import ArrayFile
from pipeline.data.array_files.dicom_series import SeriesPixels
from pipeline.data.array_files.one_plane import sliced_along
from pipeline.data.pages import RefusedError

_SIDES = "XYZ"


@dataclass(frozen=True)
class LikeSeries:
    """The pixels of a volume, each plane turned within itself."""

    volume: ArrayFile
    """Sliced along the side that the slices of the series follow each other along."""
    swapped: bool
    """True if rows are columns."""
    flipped: str
    """Letters of the sides of the series that run against those of the volume."""

    def read(self, start: int, stop: int, plane: int) -> NDArray[Any]:
        number = self.volume.planes - 1 - plane if "Z" in self.flipped else plane
        found = self.volume.read(plane=number)
        found = found.swapaxes(0, 1) if self.swapped else found
        found = found[::-1] if "Y" in self.flipped else found
        found = found[:, ::-1] if "X" in self.flipped else found
        return found[start:stop]


def like_series(volume: ArrayFile, series: ArrayFile) -> ArrayFile | None:
    """A NIfTI ZYX as its series lies; None where the series does not say how it lies.

    RefusedError for a series whose rows and columns lie along one side.
    """
    pixels = series.pixels
    directions = pixels.directions if isinstance(pixels, SeriesPixels) else None
    if directions is None or volume.axes != "ZYX":
        return None
    across, down = np.array(directions[:3]), np.array(directions[3:])
    # DICOM counts to the left and to the back, NIfTI to the right and to the front
    turns = [each * (-1, -1, 1) for each in (across, down, np.cross(across, down))]
    sides = [int(np.abs(each).argmax()) for each in turns]
    if len(set(sides)) != len(sides):
        raise RefusedError("has slices so oblique that no side of a NIfTI is theirs; resample both")
    along: Any = _SIDES[sides[2]]
    planes = sliced_along(volume, along)
    flipped = [
        letter for letter, turn, side in zip(_SIDES, turns, sides, strict=True) if turn[side] < 0
    ]
    swapped = sides[0] > sides[1]  # rows of planes run along the higher of both sides
    depth, height, width = planes.shape
    spacing = planes.spacing
    if swapped:
        height, width = width, height
        spacing = (spacing[0], spacing[2], spacing[1]) if spacing else None
    return replace(
        planes,
        shape=(depth, height, width),
        spacing=spacing,
        pixels=LikeSeries(planes, swapped, "".join(flipped)),
        notes=(*volume.notes, "turned as the DICOM series of its images lies"),
    )
