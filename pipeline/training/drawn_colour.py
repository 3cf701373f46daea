"""Changes of colour that are drawn where samples are read, and applied elsewhere."""

from __future__ import annotations

from typing import Any

import albumentations as A
import numpy as np
from numpy.typing import NDArray

from pipeline.data.image_sources.source import Pixels

Drawn = NDArray[np.float32]
"""Factors of brightness, contrast, saturation and hue, and the order (0–3) of these four."""

UNCHANGED: Drawn = np.array([1, 1, 1, 0, 0, 1, 2, 3], np.float32)


class DrawnJitter(A.ColorJitter):  # type: ignore[misc]  # albumentations has no types
    """Draws what albumentations' ColorJitter draws, and notes it instead of applying it."""

    drawn: Drawn = UNCHANGED

    def apply(
        self,
        img: Pixels,
        brightness: float,
        contrast: float,
        saturation: float,
        hue: float,
        order: list[int],
        **_params: Any,
    ) -> Pixels:
        self.drawn = np.array([brightness, contrast, saturation, hue, *order], np.float32)
        return img
