"""Moves images to their masks, and pads them by reflection (`data.frame`)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.config import FrameConfig
from pipeline.data.image_sources.source import Pixels
from pipeline.data.no_data import keeping_no_data

Value = TypeVar("Value", bound=np.generic)

_AT_ONCE = 3  # channels; OpenCV takes 4 at most


def into_frame(image: Pixels, frame: FrameConfig) -> Pixels:
    """HWC, any C and type -> the image where its mask is, `frame.pad` pixels larger on every side.

    Scaled about its middle, then shifted; what lies beyond its edges is its mirror image
    (reflect-101). A frame that changes nothing gives back the image itself.
    """
    if frame.scale == 1 and not any(frame.shift):
        return _continued(image, frame.pad)
    return keeping_no_data(image, lambda pixels: _moved(pixels, frame))


def _moved(image: Pixels, frame: FrameConfig) -> Pixels:
    height, width = image.shape[:2]
    matrix = np.eye(2, 3) * frame.scale
    middle = np.array([(width - 1) / 2, (height - 1) / 2])
    matrix[:, 2] = middle * (1 - frame.scale) + frame.shift + frame.pad
    size = (width + 2 * frame.pad, height + 2 * frame.pad)
    moved = [
        cv2.warpAffine(
            np.ascontiguousarray(image[..., start : start + _AT_ONCE]),
            matrix,
            size,
            flags=cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REFLECT_101,
        )
        for start in range(0, image.shape[2], _AT_ONCE)
    ]
    return np.dstack(moved).astype(image.dtype, copy=False)


def continue_planes(planes: NDArray[np.uint8], pad: int) -> NDArray[np.uint8]:
    """CHW planes, mirrored beyond their edges as their image is."""
    return np.pad(planes, ((0, 0), (pad, pad), (pad, pad)), mode="reflect") if pad else planes


def without_padding(maps: NDArray[Value], pad: int) -> NDArray[Value]:
    """CHW maps or planes of a padded image -> those of the image."""
    return maps[:, pad:-pad, pad:-pad] if pad else maps


def bands_without_padding(
    bands: Iterable[NDArray[np.float32]], pad: int, height: int
) -> Iterator[NDArray[np.float32]]:
    """Bands CxhxW, top to bottom, of maps of a padded image of that height -> of the image."""
    top = 0
    for band in bands:
        first, last = max(pad - top, 0), min(height - pad - top, band.shape[1])
        if first < last:
            yield band[:, first:last, pad : band.shape[2] - pad]
        top += band.shape[1]


def _continued(image: Pixels, pad: int) -> Pixels:
    if not pad:
        return image
    return np.pad(image, ((pad, pad), (pad, pad), (0, 0)), mode="reflect")
