"""The `data.volume` block: files that hold volumes, of which each slice is an image."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import Field, field_validator

from pipeline.config.base import Block

_SLICE = re.compile(r"\{slice(?::0(\d)d)?\}")
_VOLUME = "{volume}"


class VolumeConfig(Block):
    """The slices of volumes: pages of a TIFF, planes of an array, of NIfTI or of a DICOM series."""

    axis: Literal["Z", "Y", "X"] = "Z"
    """The side along which slices follow each other, as `data.axes` calls it: Z are pages, frames
    and the slices of a series. Slices along Y have rows along Z and columns along X, those along X
    rows along Z and columns along Y."""
    name: str = Field("{volume}_{slice:04d}", max_length=200)
    """Ids of the slices. `{volume}` is what `{id}` in the patterns stands for, `{slice}` the number
    of the slice, `{slice:04d}` the same in four digits or more."""
    first: int = Field(0, ge=0, le=1)
    """Number of the first slice."""

    @field_validator("name")
    @classmethod
    def _names_slices(cls, name: str) -> str:
        rest = _SLICE.sub("", name, count=1).replace(_VOLUME, "", 1)
        if rest == name or re.search(r"[{}/]", rest) or name.count("{") != 2:
            raise ValueError(
                "holds {volume} and {slice} once each, as in {volume}_{slice:04d}, and no /"
            )
        between = re.split(r"\{[^}]*\}", name)[1]
        if not between or between.isdigit():
            raise ValueError(
                "needs more than digits between {volume} and {slice}, or two slices share an id"
            )
        return name

    def slice_id(self, volume: str, number: int) -> str:
        """The id of a slice of a volume; numbers count from 0."""
        digits = int(self._digits or 0)
        shown = f"{number + self.first:0{digits}d}"
        return _SLICE.sub(lambda _: shown, self.name).replace(_VOLUME, volume)

    def taken_apart(self, slice_id: str) -> tuple[str, int]:
        """The volume and the number that `slice_id` made the id of."""
        volume, number = (re.fullmatch(pattern, slice_id) for pattern in self.patterns)
        assert volume is not None and number is not None, slice_id
        return volume[1], int(number[1]) - self.first

    @property
    def patterns(self) -> tuple[str, str]:
        """Regular expressions whose first parentheses capture, from an id, volume and number."""
        pieces = re.split(r"(\{[^}]*\})", self.name)
        volume = [".+" if each.startswith("{") else re.escape(each) for each in pieces]
        number = [*volume]
        volume[pieces.index(_VOLUME)] = "(.+)"
        place = next(place for place, each in enumerate(pieces) if _SLICE.fullmatch(each))
        volume[place], number[place] = r"\d+", r"(\d+)"
        if self._digits:
            volume[place] = rf"\d{{{self._digits},}}"
            number[place] = rf"(\d{{{self._digits},}})"
        return f"^{''.join(volume)}$", f"^{''.join(number)}$"

    @property
    def _digits(self) -> str | None:
        match = _SLICE.search(self.name)
        return None if match is None else match[1]
