"""What a mask file says, once its numbers have a meaning.

A number is not always what was painted. Where a file can be read in two ways and the classes do
not tell which one is meant, it is refused; what had to be assumed is noted for `check` to tell.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from pipeline.data.masks.pixels import MaskPixels
from pipeline.data.masks.soft import distinct

SAVE = "save the masks as gray PNG"
"""What to do about a mask file that cannot be read in one way only."""


@dataclass(frozen=True)
class Meaning:
    """What a mask file says, HW: bool where it is inside, or the value of each pixel."""

    pixels: NDArray[Any]
    note: str = ""
    """What had to be assumed; "" for nothing."""
    colours: tuple[str, ...] = ()
    """`index #rrggbb` of what was read by the index of a coloured palette."""


def palette_colours(pixels: MaskPixels) -> tuple[str, ...]:
    """`index #rrggbb` of every index of a coloured palette that occurs."""
    if pixels.palette is None:
        return ()
    used = distinct(pixels.stored).tolist()
    return tuple(f"{each} #{bytes(pixels.palette[each]).hex()}" for each in used)
