"""The one rule for working at another size than the image's own."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.data.image_sources.source import Pixels
from pipeline.data.no_data import keeping_no_data
from pipeline.size import Size


def working_size(size: Size, resize: float | Size | None) -> Size:
    """H, W at which a network sees an image of `size`: a factor of it, a fixed one, or itself."""
    if resize is None:
        return size
    if isinstance(resize, tuple):
        return resize
    return max(1, round(size[0] * resize)), max(1, round(size[1] * resize))


def resize_image(image: Pixels, size: Size) -> Pixels:
    """HWC at `size`: area averages when shrinking, bilinear when enlarging."""
    if image.shape[:2] == size:
        return image
    return keeping_no_data(image, lambda pixels: _resized(pixels, size))


def _resized(image: Pixels, size: Size) -> Pixels:
    interpolation = _interpolation(image.shape[:2], size)
    if image.shape[2] == 3:
        return cv2.resize(image, size[::-1], interpolation=interpolation)
    resized = [  # OpenCV's area average takes 4 channels at most
        cv2.resize(part, size[::-1], interpolation=interpolation)
        for part in np.split(image, range(3, image.shape[2], 3), axis=2)
    ]
    return np.dstack(resized)


def resize_planes(
    planes: NDArray[np.uint8], size: Size, *, multiclass: bool = False
) -> NDArray[np.uint8]:
    """CHW planes of 0/1 at `size`: 1 where the class covers at least half of the pixel.

    multiclass: where it covers more of it than any other class, so that just one has the pixel.
    """
    if planes.shape[1:] == size:
        return planes
    interpolation = _interpolation(planes.shape[1:], size)
    full = [
        cv2.resize(plane * np.uint8(255), size[::-1], interpolation=interpolation)
        for plane in planes
    ]
    shares = np.stack(full)
    if multiclass:
        largest = shares.argmax(axis=0) == np.arange(len(shares))[:, None, None]
        return np.asarray(largest & (shares > 0)).view(np.uint8)
    return np.asarray(shares >= 128).view(np.uint8)


def resize_soft(planes: NDArray[np.uint8], size: Size) -> NDArray[np.uint8]:
    """CHW planes of levels at `size`: averages when shrinking, bilinear when enlarging."""
    if planes.shape[1:] == size:
        return planes
    how = _interpolation(planes.shape[1:], size)
    return np.stack([cv2.resize(plane, size[::-1], interpolation=how) for plane in planes])


def _interpolation(before: tuple[int, ...], after: Size) -> int:
    shrinks = after[0] * after[1] < before[0] * before[1]
    return cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
