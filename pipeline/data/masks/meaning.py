"""The meaning of the numbers in a mask file.

Where a file can be read in two ways and the classes do not decide, it is refused; assumptions are
noted, and `check` reports them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from pipeline.data.masks.pixels import MaskPixels
from pipeline.data.masks.soft import distinct

SAVE = "save the masks as gray PNG"
"""The remedy for a mask file that can be read in several ways."""


@dataclass(frozen=True)
class Meaning:
    """Content of a mask file, HW: bool where it is inside, or the value of each pixel."""

    pixels: NDArray[Any]
    note: str = ""
    """Assumptions that were made; "" for none."""
    colours: tuple[str, ...] = ()
    """`index #rrggbb` of what was read by the index of a coloured palette."""
    orientation: int = 1
    """As EXIF counts, of what was turned."""


def note_of_turn(orientation: int) -> str:
    """The note about a mask that EXIF turns, where its image is not turned so; "" for upright."""
    return "" if orientation == 1 else f"EXIF turns it (orientation {orientation}), not its image"


def palette_colours(pixels: MaskPixels) -> tuple[str, ...]:
    """`index #rrggbb` of every index of a coloured palette that occurs."""
    if pixels.palette is None:
        return ()
    used = distinct(pixels.stored).tolist()
    return tuple(f"{each} #{bytes(pixels.palette[each]).hex()}" for each in used)
