"""Interprets a module's output shape: which axes are spatial, and the pixels per cell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from torch import Tensor

Layout = Literal["NCHW", "NHWC", "tokens"]

_TOKEN_STRIDES = (4, 7, 8, 12, 14, 16, 28, 32, 56)
_MOST_PREFIX_TOKENS = 16


@dataclass(frozen=True)
class FeatureShape:
    """A feature map: cells of `stride` pixels, `height` x `width` of them, `channels` deep.

    prefix: tokens before the spatial ones (class, distillation, registers); 0 unless `tokens`.
    """

    stride: int
    height: int
    width: int
    channels: int
    layout: Layout
    prefix: int = 0


def read_feature_shape(shape: tuple[int, ...], size: tuple[int, int]) -> FeatureShape | None:
    """The feature map that `shape` holds for an input of `size` (H, W); None when it holds none.

    Of an input twice as wide as high, the stride is exactly (W - H) / (w - h), whatever
    a network's valid convolutions cut off at the borders; a square input has to make do with
    the ratio.
    """
    if len(shape) == 4:
        maps = [
            _spatial(shape[2], shape[3], shape[1], "NCHW", size),
            _spatial(shape[1], shape[2], shape[3], "NHWC", size),
        ]
        found = [each for each in maps if each is not None]
        return min(found, key=lambda each: _misfit(each, size)) if found else None
    return _tokens(shape, size) if len(shape) == 3 else None


def spatial_cells(shape: tuple[int, ...], like: FeatureShape) -> tuple[int, int]:
    """Height and width in cells of an output laid out as `like`; (cells, 1) for tokens."""
    if like.layout == "tokens":
        return shape[1] - like.prefix, 1
    return (shape[2], shape[3]) if like.layout == "NCHW" else (shape[1], shape[2])


def to_nchw(feature: Tensor, layout: Layout, prefix: int, cells: tuple[int, int]) -> Tensor:
    """The N x C x h x w view of a tapped activation; `cells` = (h, w) matter for tokens alone."""
    if layout == "NHWC":
        return feature.permute(0, 3, 1, 2)
    if layout == "tokens":
        return feature[:, prefix:].transpose(1, 2).reshape(len(feature), -1, *cells)
    return feature


def from_nchw(feature: Tensor, layout: Layout) -> Tensor:
    """The inverse of `to_nchw`, without prefix tokens."""
    if layout == "NHWC":
        return feature.permute(0, 2, 3, 1)
    return feature.flatten(2).transpose(1, 2) if layout == "tokens" else feature


def _spatial(
    height: int, width: int, channels: int, layout: Layout, size: tuple[int, int]
) -> FeatureShape | None:
    if min(height, width) < 2:
        return None
    if size[0] == size[1]:
        fits = height == width and size[0] % height == 0
        return FeatureShape(size[0] // height, height, width, channels, layout) if fits else None
    pixels, cells = size[1] - size[0], width - height
    if cells <= 0 or pixels % cells:
        return None
    found = FeatureShape(pixels // cells, height, width, channels, layout)
    return found if _misfit(found, size) <= 0.5 else None


def _misfit(found: FeatureShape, size: tuple[int, int]) -> float:
    """How far the cells are from covering the input, as a share of it."""
    return abs(found.height * found.stride / size[0] - 1) + (
        abs(found.width * found.stride / size[1] - 1)
    )


def _tokens(shape: tuple[int, ...], size: tuple[int, int]) -> FeatureShape | None:
    for stride in _TOKEN_STRIDES:
        height, width = size[0] // stride, size[1] // stride
        prefix = shape[1] - height * width
        exact = size[0] % stride == 0 and size[1] % stride == 0
        if exact and 0 <= prefix <= _MOST_PREFIX_TOKENS:
            return FeatureShape(stride, height, width, shape[2], "tokens", prefix)
    return None
