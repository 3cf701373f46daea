"""Where a random crop lies in its image, as one affine map from crop pixels to image pixels.

Everything geometric (crop, rotation, scale, shift, flips, transposition) is one matrix, so that a
sample is interpolated once, only pixels of the crop are computed, and reflected pixels appear only
where the crop really leaves the image.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.config import AugmentConfig, JitterConfig
from pipeline.data.image_sources.source import Pixels
from pipeline.data.no_data import keeping_no_data

_AT_ONCE = 3  # channels; OpenCV takes 4 at most

Matrix = NDArray[np.float64]
"""3×3, from (x, y, 1) to (x, y, 1)."""


@dataclass(frozen=True)
class CropView:
    """A crop of `height` × `width` pixels, and the map from its pixels to those of the image."""

    height: int
    width: int
    matrix: Matrix

    def image(self, image: Pixels) -> Pixels:
        """The crop of an HWC image, bilinear; beyond its edges the image is reflected."""
        parts = [
            keeping_no_data(
                image[..., first : first + _AT_ONCE],
                lambda part: self._warped(part, cv2.INTER_LINEAR),
            )
            for first in range(0, image.shape[2], _AT_ONCE)
        ]
        shaped = [part.reshape(self.height, self.width, -1) for part in parts]
        return shaped[0] if len(shaped) == 1 else np.concatenate(shaped, axis=2)

    def plane(self, plane: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The crop of an HW plane of labels: the nearest pixel's."""
        return self._warped(plane, cv2.INTER_NEAREST)

    @property
    def middle(self) -> tuple[float, float]:
        """Where the crop's middle lies in the image (x, y)."""
        x, y, _ = self.matrix @ ((self.width - 1) / 2, (self.height - 1) / 2, 1.0)
        return float(x), float(y)

    def after(self, matrix: Matrix) -> CropView:
        """The same crop of an image whose pixels lie where `matrix` takes those of this one."""
        return CropView(self.height, self.width, matrix @ self.matrix)

    def _warped(self, source: NDArray[Any], interpolation: int) -> NDArray[Any]:
        left, top, right, bottom = self._reach()
        window = _reflected(source, top, bottom, left, right)
        local = _translation(-left, -top) @ self.matrix
        flags = interpolation | cv2.WARP_INVERSE_MAP
        size = (self.width, self.height)
        warped = cv2.warpAffine(window, local[:2], size, None, flags, cv2.BORDER_REPLICATE)
        return np.asarray(warped, source.dtype)

    def _reach(self) -> tuple[int, int, int, int]:
        """Left, top, right, bottom (exclusive) of all image pixels that the crop touches."""
        right, bottom = self.width - 1, self.height - 1
        corners = np.array([[0, right, 0, right], [0, 0, bottom, bottom], [1, 1, 1, 1]])
        x, y, _ = self.matrix @ corners
        low = np.floor([x.min(), y.min()]).astype(int)
        high = np.ceil([x.max(), y.max()]).astype(int)
        return int(low[0]), int(low[1]), int(high[0]) + 1, int(high[1]) + 1


def draw_view(
    shape: tuple[int, int],
    size: tuple[int, int],
    settings: AugmentConfig,
    random: np.random.Generator,
    through: tuple[int, int] | None = None,
) -> CropView:
    """A random crop of `size` (H, W) from an image of `shape` (H, W).

    Every choice has draws of its own, in a fixed order, so that none depends on another. A side of
    the image that is smaller than the crop's is centred.

    through: a pixel (row, column) of the image that is to be a pixel of the crop. All places of
    crops that contain it, as far as they are inside the image, are equally likely.
    """
    height, width = size
    transposed, vertical, horizontal = random.random(3) < 0.5
    matrix = _flips(
        size,
        bool(vertical) and "vertical" in settings.flips,
        bool(horizontal) and "horizontal" in settings.flips,
    )
    if transposed and "transpose" in settings.flips:
        matrix = _TRANSPOSITION @ matrix
        height, width = width, height
    offset = [
        _offset(length, wanted, random, None if through is None else through[axis])
        for axis, (length, wanted) in enumerate(zip(shape, (height, width), strict=True))
    ]
    moved = random.random() < settings.affine
    affine = _affine((height, width), settings, random)
    if moved:
        matrix = affine @ matrix
    matrix = _translation(offset[1], offset[0]) @ matrix
    if through is not None:
        matrix = _moved_onto(through, matrix, size)
    return CropView(*size, matrix)


def _moved_onto(pixel: tuple[int, int], matrix: Matrix, size: tuple[int, int]) -> Matrix:
    """`matrix`, shifted just so far that the crop's pixel nearest to that one is that one."""
    row, column = pixel
    x, y, _ = np.linalg.solve(matrix, (column, row, 1.0))
    nearest = (min(max(round(x), 0), size[1] - 1), min(max(round(y), 0), size[0] - 1), 1.0)
    left, top, _ = (column, row, 1.0) - matrix @ nearest
    return _translation(float(left), float(top)) @ matrix


def draw_jitter(
    middle: tuple[float, float], jitter: JitterConfig, random: np.random.Generator
) -> Matrix | None:
    """A small random motion about `middle` (x, y); None where none is asked for."""
    if not (jitter.shift or jitter.rotate or jitter.scale):
        return None
    shift = random.uniform(-1, 1, 2) * jitter.shift
    angle = random.uniform(-1, 1) * jitter.rotate
    scale = (1 + jitter.scale) ** random.uniform(-1, 1)
    return _about(middle, angle, scale, shift)


def _affine(size: tuple[int, int], settings: AugmentConfig, random: np.random.Generator) -> Matrix:
    """A random rotation, zoom and shift about the middle of a region of `size`."""
    height, width = size
    angle = random.uniform(-1, 1) * settings.rotate
    scale = _drawn_scale(settings.scale, random.uniform(-1, 1))
    shift = random.uniform(-1, 1, 2) * settings.shift * (width, height)
    return _about(((width - 1) / 2, (height - 1) / 2), angle, scale, shift)


def _drawn_scale(scale: float | tuple[float, float], drawn: float) -> float:
    """Pixels of the image a pixel of the crop; drawn: -1..1."""
    if not isinstance(scale, tuple):
        return float((1 + scale) ** drawn)
    smallest, largest = scale
    return float(1 / (smallest * (largest / smallest) ** ((drawn + 1) / 2)))


def _about(
    middle: tuple[float, float], angle: float, scale: float, shift: NDArray[np.float64]
) -> Matrix:
    """Turn by `angle` degrees and scale about `middle` (x, y), then shift (x, y)."""
    cosine = math.cos(math.radians(angle)) * scale
    sine = math.sin(math.radians(angle)) * scale
    turn = np.array([[cosine, -sine, 0.0], [sine, cosine, 0.0], [0.0, 0.0, 1.0]])
    x, y = middle
    matrix: Matrix = _translation(x + shift[0], y + shift[1]) @ turn @ _translation(-x, -y)
    return matrix


_TRANSPOSITION: Matrix = np.array([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])


def _translation(x: float, y: float) -> Matrix:
    return np.array([[1.0, 0.0, x], [0.0, 1.0, y], [0.0, 0.0, 1.0]])


def _flips(size: tuple[int, int], vertical: bool, horizontal: bool) -> Matrix:
    matrix = np.eye(3)
    if vertical:
        matrix[1] = (0.0, -1.0, size[0] - 1.0)
    if horizontal:
        matrix[0] = (-1.0, 0.0, size[1] - 1.0)
    return matrix


def _offset(length: int, wanted: int, random: np.random.Generator, through: int | None) -> int:
    """Where a crop of `wanted` pixels begins in a side of `length`; it contains `through`."""
    draw = random.random()  # always, so that later draws do not depend on the image's size
    if wanted >= length:
        return -((wanted - length) // 2)
    first, last = 0, length - wanted
    if through is not None:
        first, last = max(first, through - wanted + 1), min(last, through)
    return first + int(draw * (last - first + 1))


def _reflected(source: NDArray[Any], top: int, bottom: int, left: int, right: int) -> NDArray[Any]:
    """Rows top … bottom and columns left … right, reflected (101) where they leave the image."""
    for axis, (low, high) in enumerate(((top, bottom), (left, right))):
        length = source.shape[axis]
        if low >= 0 and high <= length:
            source = source[low:high] if axis == 0 else source[:, low:high]
        else:
            source = source.take(_reflected_indices(low, high, length), axis=axis)
    return np.ascontiguousarray(source)


def _reflected_indices(low: int, high: int, length: int) -> NDArray[np.int64]:
    if length == 1:
        return np.zeros(high - low, np.int64)
    period = 2 * length - 2
    index = np.arange(low, high) % period
    return np.minimum(index, period - index)
