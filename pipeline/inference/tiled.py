"""Images larger than a tile: predicted tile by tile, and put together by rows of tiles.

A tile is predicted as an image of its own is: by all networks and views, merged. What it takes is
bounded by the tile, the batch and the width of the image, never by its height.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from torch import Tensor

from pipeline.config import TileConfig
from pipeline.data.image_sources.source import PixelRows, Pixels
from pipeline.errors import ResourceError
from pipeline.inference.bands import BandMerger
from pipeline.inference.device_memory import fitting, uploaded
from pipeline.inference.passes import Passes
from pipeline.inference.tiles import Tile, plan_tiles

VERSION = "tiles/1"
"""Bumped when images that are predicted in tiles, and only those, get other maps than before."""


class TiledImages:
    """Predicts images larger than a tile, one at a time.

    As many tiles go together as one forward pass has inputs, fewer where a view enlarges them, and
    fewer once that many did not fit the device.
    """

    def __init__(self, passes: Passes, tile: TileConfig, scale: float) -> None:
        """scale: the divisor of pixel values before a network."""
        self._passes = passes
        self._tile = tile
        self._scale = scale
        self._most = max(1, int(passes.most / passes.largest_view(tile.size)))

    def bands(self, image: PixelRows) -> Iterator[Tensor]:
        """The maps of an image HWC: float32 CxhxW, some rows after others, on any device."""
        size = (image.shape[0], image.shape[1])
        tiles = plan_tiles(size, self._tile.size, self._tile.overlap)
        weights = self._passes.weights_of(tiles[0], self._tile.weights)
        merger, cutter = BandMerger(size[1], weights), _Cutter(image)
        start = 0
        while start < len(tiles):
            chosen = tiles[start : start + self._most]
            maps = fitting(self._weighted, cutter, chosen, weights)
            if maps is None:
                if len(chosen) > 1 or not merger.leave_device():
                    self._halve(chosen)
                continue
            for tile, one in zip(chosen, maps, strict=True):
                yield from merger.finished(tile.top)
                merger.add(tile, one)
            start += len(chosen)
            del maps, one
        yield from merger.finished(size[0])

    def _weighted(self, cutter: _Cutter, tiles: Sequence[Tile], weights: Tensor) -> Tensor:
        """N tiles → their maps N×classes×H×W, each pixel times its weight."""
        pixels = [cutter.cut(tile) for tile in tiles]
        inputs = uploaded(pixels, self._scale, self._passes.device)
        return self._passes.merged(inputs).mul_(weights)

    def _halve(self, tiles: Sequence[Tile]) -> None:
        if len(tiles) == 1:
            raise ResourceError(
                f"one tile of {tiles[0].height}×{tiles[0].width} does not fit "
                f"{self._passes.device}; set a smaller infer.tile or infer.precision, or fewer "
                "views in infer.tta"
            )
        self._most = len(tiles) // 2


class _Cutter:
    """Cuts tiles out of an image, row by row of tiles; holds the pixels of one such row."""

    def __init__(self, image: PixelRows) -> None:
        self._image = image
        self._rows: tuple[int, int] | None = None
        self._pixels: Pixels = np.empty(0)

    def cut(self, tile: Tile) -> Pixels:
        rows, columns = tile.area
        if (rows.start, rows.stop) != self._rows:
            self._pixels = np.empty(0)  # gone before the next ones come
            self._pixels = self._image[rows]
            self._rows = rows.start, rows.stop
        return self._pixels[:, columns].copy()  # a view would keep all of them
