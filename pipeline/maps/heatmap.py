"""A probability map as an image for people."""

from __future__ import annotations

from typing import Any, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.maps.quantise import quantise


def heat_map(probabilities: NDArray[np.float32]) -> NDArray[np.uint8]:
    """HxW float32 0..1 as HxWx3 uint8 RGB: dark blue at 0, over green, to bright yellow at 1."""
    levels: Any = quantise(probabilities, "uint8")
    colours = cv2.applyColorMap(levels, cv2.COLORMAP_VIRIDIS)
    return cast("NDArray[np.uint8]", cv2.cvtColor(colours, cv2.COLOR_BGR2RGB))
