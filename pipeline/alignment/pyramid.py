"""Image and reference at halved scales, made comparable at each."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from pipeline.alignment.compare import Pair, make_pair
from pipeline.alignment.photometry import ByteImage

# The coarsest level's longer side (of the image) is between half of this and this.
COARSEST = 160


@dataclass(frozen=True)
class Level:
    """One scale: gray and band-passed images; pixel (x, y) is (factor x, factor y) of the full.

    gray: image and reference, HW uint8.
    """

    factor: float
    gray: tuple[ByteImage, ByteImage]
    pair: Pair


def make_pyramid(image: ByteImage, reference: ByteImage) -> list[Level]:
    """Levels from coarse to fine, the last one of full size (factor 1)."""
    levels = [Level(1.0, (image, reference), make_pair(image, reference))]
    while max(levels[0].gray[0].shape) > COARSEST:
        image, reference = (
            np.asarray(cv2.pyrDown(gray), dtype=np.uint8) for gray in levels[0].gray
        )
        levels.insert(
            0, Level(2.0 * levels[0].factor, (image, reference), make_pair(image, reference))
        )
    return levels
