"""Pixels turned as EXIF says that a viewer shall show them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.data.array_files.array_file import Pixels

TURNS = {
    2: (False, False, True),
    3: (False, True, True),
    4: (False, True, False),
    5: (True, False, False),
    6: (True, False, True),
    7: (True, True, True),
    8: (True, True, False),
}
"""Orientation → are rows and columns swapped, then rows reversed, then columns reversed."""


@dataclass(frozen=True)
class TurnedPixels:
    """The pixels of `stored`, upright."""

    stored: Pixels
    orientation: int
    """As EXIF counts, 2 to 8."""
    height: int
    """Of the stored pixels."""
    width: int

    def read(self, start: int, stop: int, plane: int) -> NDArray[Any]:
        swapped, rows_reversed, columns_reversed = TURNS[self.orientation]
        height = self.width if swapped else self.height
        if rows_reversed:
            start, stop = height - stop, height - start
        if swapped:  # a column at a time cannot be read
            found = self.stored.read(0, self.height, plane)[:, start:stop].swapaxes(0, 1)
        else:
            found = self.stored.read(start, stop, plane)
        found = found[::-1] if rows_reversed else found
        return np.ascontiguousarray(found[:, ::-1] if columns_reversed else found)
