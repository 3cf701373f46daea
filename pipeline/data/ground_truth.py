"""The ground truth of one image: the planes that a metric compares a decision with."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.size import Size

CERTAIN = 255
"""What soft planes hold for probability 1: so they are read, kept decoded and augmented."""


def decided(soft: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Planes of 0/1 of soft ones: 1 from a half on."""
    return np.asarray(soft > CERTAIN // 2).view(np.uint8)


@dataclass(frozen=True)
class Truth:
    """The ground truth of one image.

    planes: uint8 CHW of 0/1, one plane a class in the experiment's order.
    valid: bool HW, False where a pixel is void and counts nowhere; None when all count.
    instances: int32 CHW, 0 = none, 1.. = number of the object; None when objects are unknown.
    notes: assumptions that were made about the mask files.
    colours: `index #rrggbb` of what was read by the indices of a palette.
    soft: uint8 CHW, the probability of each class as 0..CERTAIN, where masks say that; `planes` are
        then what is decided by it.
    """

    planes: NDArray[np.uint8]
    valid: NDArray[np.bool_] | None = None
    instances: NDArray[np.int32] | None = None
    notes: tuple[str, ...] = ()
    colours: tuple[str, ...] = ()
    soft: NDArray[np.uint8] | None = None

    @property
    def size(self) -> Size:
        """Height and width."""
        return self.planes.shape[1], self.planes.shape[2]
