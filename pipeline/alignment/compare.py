"""Image and reference on the same pixels, and how well they agree there."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

from pipeline.alignment.geometry import FloatArray, overlap_share
from pipeline.alignment.photometry import ByteImage, Float32Image, band_pass
from pipeline.size import Size

# Stands for pixels that the reference does not show; far above all band-passed values.
_OUTSIDE = 1e6
_AROUND = np.ones((5, 5), np.uint8)
_FEWEST_PIXELS = 64
_OVERLAP_POWER = 0.1


@dataclass(frozen=True)
class Pair:
    """Image and reference at one scale, band-passed: HW float32, of sizes that may differ."""

    image: Float32Image
    reference: Float32Image
    gradient: tuple[Float32Image, Float32Image]

    @property
    def size(self) -> Size:
        return self.image.shape[0], self.image.shape[1]

    @property
    def reference_size(self) -> Size:
        return self.reference.shape[0], self.reference.shape[1]


def gradients(picture: Float32Image) -> tuple[Float32Image, Float32Image]:
    """Derivatives along x and y, per pixel."""
    along_x, along_y = (
        np.asarray(cv2.Scharr(picture, cv2.CV_32F, *order, scale=1 / 32), dtype=np.float32)
        for order in ((1, 0), (0, 1))
    )
    return along_x, along_y


def make_pair(image: ByteImage, reference: ByteImage) -> Pair:
    """Gray images of the same scale, HW uint8."""
    banded = band_pass(image)
    return Pair(banded, band_pass(reference), gradients(banded))


def warp_with_overlap(pair: Pair, warp: FloatArray) -> tuple[Float32Image, Float32Image]:
    """The reference brought onto the image, and 1 where both have pixels (0 elsewhere)."""
    height, width = pair.size
    warped = cv2.warpPerspective(
        pair.reference,
        warp,
        (width, height),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=_OUTSIDE,
    )
    inside = np.less(warped, _OUTSIDE * 1e-3).view(np.uint8)
    # Gradients look two pixels around.
    overlap = cv2.erode(inside, _AROUND, borderType=cv2.BORDER_CONSTANT, borderValue=0)
    visible = cv2.copyTo(warped, inside)
    return np.asarray(visible, dtype=np.float32), np.asarray(overlap, dtype=np.float32)


def correlation(pair: Pair, warp: FloatArray) -> float:
    """Correlation of the band-passed images where they overlap; 0 where nothing is to compare."""
    warped, overlap = warp_with_overlap(pair, warp)
    inside, first, second = overlap.ravel(), pair.image.ravel(), warped.ravel()
    count = float(inside.sum())
    if count < _FEWEST_PIXELS:
        return 0.0
    first_inside, second_inside = first * inside, second * inside
    means = float(first_inside.sum()) / count, float(second_inside.sum()) / count
    together: float = float(first_inside @ second) / count - means[0] * means[1]
    powers = (
        float(first_inside @ first) / count - means[0] ** 2,
        float(second_inside @ second) / count - means[1] ** 2,
    )
    if min(powers) <= 1e-12:
        return 0.0
    return together / math.sqrt(powers[0] * powers[1])


def quality(pair: Pair, warp: FloatArray) -> float:
    """Correlation, less where the overlap is partial: repeats of a pattern lie half outside."""
    overlap = overlap_share(warp, pair.size, pair.reference_size)
    return correlation(pair, warp) * float(overlap**_OVERLAP_POWER)
