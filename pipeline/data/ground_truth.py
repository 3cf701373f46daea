"""The ground truth of one image: the planes that a metric compares a decision with."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.size import Size


@dataclass(frozen=True)
class Truth:
    """The ground truth of one image.

    planes: uint8 CHW of 0/1, one plane a class in the experiment's order.
    valid: bool HW, False where a pixel is void and counts nowhere; None when all count.
    instances: int32 CHW, 0 = none, 1.. = number of the object; None when objects are unknown.
    notes: assumptions that were made about the mask files.
    colours: `index #rrggbb` of what was read by the indices of a palette.
    """

    planes: NDArray[np.uint8]
    valid: NDArray[np.bool_] | None = None
    instances: NDArray[np.int32] | None = None
    notes: tuple[str, ...] = ()
    colours: tuple[str, ...] = ()

    @property
    def size(self) -> Size:
        """Height and width."""
        return self.planes.shape[1], self.planes.shape[2]
