"""Planes as arrays in main memory, for what only OpenCV computes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

HALF = 0.5
"""A pixel is inside of a class from this probability on, where a loss needs a decision."""
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Sides:
    """The pixels inside and outside of each class, both bool N×C×H×W; void ones are in neither.

    device: where the planes came from, and where maps go back to.
    """

    inside: Mask
    outside: Mask
    device: torch.device

    @classmethod
    def of(cls, planes: Tensor, valid: Tensor) -> Sides:
        """One transfer for both, which waits for the device."""
        codes = torch.where(valid > 0, (planes >= HALF).to(torch.uint8), 2).cpu().numpy()
        return cls(codes == 1, codes == 0, planes.device)

    def mapped(self, function: Callable[[Mask, Mask], NDArray[Any]]) -> Tensor:
        """`function` of each plane's two sides (bool HW to HW), as float32 on the device."""
        result = np.empty(self.inside.shape, np.float32)
        for at in np.ndindex(*self.inside.shape[:2]):
            result[at] = function(self.inside[at], self.outside[at])
        return torch.from_numpy(result).to(self.device)
