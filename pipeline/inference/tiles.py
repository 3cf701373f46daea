"""Images larger than the device or the training size, tile by tile, and one map from the tiles."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

import torch
from torch import Tensor

from pipeline.config.choices import TileWeights
from pipeline.errors import ConfigError
from pipeline.size import Size

Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True)
class Tile:
    """A rectangle inside an image; smaller than the planned tile only where the image is."""

    top: int
    left: int
    height: int
    width: int

    @property
    def area(self) -> tuple[slice, slice]:
        """Its rows and columns in the image."""
        return slice(self.top, self.top + self.height), slice(self.left, self.left + self.width)


def fits_tile(size: Size, tile: Size) -> bool:
    """True if an image of (H, W) is no larger than a tile, as it is or on its side."""
    (height, width), (rows, columns) = size, tile
    return (height <= rows and width <= columns) or (height <= columns and width <= rows)


def plan_tiles(size: Size, tile: Size, overlap: float) -> tuple[Tile, ...]:
    """Tiles of (h, w) that cover every pixel of an (H, W) image, row by row, evenly spread.

    overlap: what neighbours share at least; below 1 a share of the tile's side, else pixels.
    There are as few tiles as that allows. An image side below the tile's gives one tile of that
    side (`cut` pads it). Raises ConfigError for an overlap that is negative or a whole tile.
    """
    (tops, height), (lefts, width) = (
        _starts(length, side, overlap) for length, side in zip(size, tile, strict=True)
    )
    return tuple(Tile(top, left, height, width) for top in tops for left in lefts)


def _starts(length: int, side: int, overlap: float) -> tuple[list[int], int]:
    """Where tiles start along one axis, and how long they are."""
    shared = min(side - 1, round(overlap * side)) if overlap < 1 else round(overlap)
    if not 0 <= shared < side:
        raise ConfigError(
            f"tile overlap {overlap:g} does not fit tiles of {side} pixels; give a share of the "
            f"tile from 0 to below 1, or pixels from 1 to {side - 1}"
        )
    if length <= side:
        return [0], length
    count = math.ceil((length - shared) / (side - shared))
    return [index * (length - side) // (count - 1) for index in range(count)], side


def tile_weights(tile: Size, kind: TileWeights) -> Tensor:
    """How much each pixel of a tile counts: float32 HW, > 0, at most 1, symmetric.

    gaussian: standard deviation an eighth of the side (Isensee et al. 2021, nnU-Net);
    pyramid: falls linearly to the border; uniform: 1.
    """
    rows, columns = (_profile(side, kind) for side in tile)
    return torch.outer(rows, columns).to(torch.float32)


def _profile(side: int, kind: TileWeights) -> Tensor:
    offset = (torch.arange(side, dtype=torch.float64) - (side - 1) / 2).abs()
    if kind == "gaussian":
        return torch.exp(-0.5 * (offset / (side / 8)).square())
    if kind == "pyramid":
        return 1 - offset / ((side + 1) / 2)
    return torch.ones_like(offset)


@dataclass
class _Unfinished:
    """An image under way: its (H, W), the tiles still to come, and what the others sum up to."""

    size: Size
    waiting: set[Tile]
    maps: Tensor | None = None
    weights: Tensor | None = None


class TileMerger(Generic[Key]):
    """Weighted means of overlapping tiles, for any number of images at once.

    Tiles come in any order and mix of images, so a batch can hold tiles of several; an image's
    sums (float32, on the device of its maps) live from its first tile to its last.
    """

    def __init__(self, weights: Tensor) -> None:
        """weights: float32 HW of a whole tile, from `tile_weights`, best on the maps' device."""
        self._weights = weights
        self._images: dict[Key, _Unfinished] = {}

    def expect(self, key: Key, size: Size, tiles: Iterable[Tile]) -> None:
        """Announce an (H, W) image and all its tiles; takes no memory until the first comes."""
        self._images[key] = _Unfinished(size, set(tiles))

    def add(self, key: Key, tile: Tile, maps: Tensor) -> Tensor | None:
        """Add the CHW maps of one tile, of any float type, padding of `cut` included.

        Returns the image's maps, float32 CHW, with its last tile, and forgets the image; None
        before. Raises KeyError for an image or a tile that is not awaited (or no longer).
        """
        image = self._images[key]
        image.waiting.remove(tile)
        if image.maps is None or image.weights is None:
            image.maps = torch.zeros(len(maps), *image.size, device=maps.device)
            image.weights = torch.zeros(image.size, device=maps.device)
        self._weights = self._weights.to(maps.device)
        weights = self._weights[: tile.height, : tile.width]
        image.maps[:, *tile.area] += maps[:, : tile.height, : tile.width] * weights
        image.weights[tile.area] += weights
        if image.waiting:
            return None
        del self._images[key]
        return image.maps.div_(image.weights)
