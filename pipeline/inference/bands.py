"""The weighted mean of tiles that come row by row; rows that no later tile touches leave."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from pipeline.disk_space import readable
from pipeline.errors import ResourceError
from pipeline.inference.device_memory import fitting
from pipeline.inference.tiles import Tile

BAND_VALUES = 4 * 2**20
"""Values (float32) that leave together, if they are more than a row."""


class BandMerger:
    """Sums of overlapping tiles (float32) over a band of an image, as high as a tile.

    The sums live on the device of the maps, and on the host once they do not fit there.
    """

    def __init__(self, width: int, weights: Tensor) -> None:
        """width: of the image; weights: float32 HW of a tile, on the device of the maps."""
        self._width = width
        self._weights = weights
        self._top = 0
        self._on_host = weights.device.type == "cpu"
        self._sums: Tensor | None = None
        self._total: Tensor | None = None
        self._spare: Tensor | None = None

    def add(self, tile: Tile, weighted: Tensor) -> None:
        """Add the maps CHW of a tile, each pixel times its weight. Tiles come row by row; rows
        above its top have been taken with `finished`.
        """
        if self._sums is None:
            self._allocate(len(weighted))
        assert self._sums is not None and self._total is not None
        top = tile.top - self._top
        assert top >= 0 and top + tile.height <= self._sums.shape[1], f"{tile}, band {self._top}"
        area = slice(top, top + tile.height), slice(tile.left, tile.left + tile.width)
        self._sums[:, *area] += weighted.to(self._sums.device)
        self._total[area] += self._weights

    def finished(self, until: int) -> Iterator[Tensor]:
        """The means, float32 CxhxW, of the rows before `until` that have not been taken yet."""
        count = until - self._top
        if count <= 0:
            return
        assert self._sums is not None
        rows = max(1, BAND_VALUES // (len(self._sums) * self._width))
        for start in range(0, count, rows):
            yield self._mean(slice(start, min(start + rows, count)))
        self._move_up(count)
        self._top = until

    def _mean(self, rows: slice) -> Tensor:
        mean = fitting(self._divided, rows)
        if mean is None:
            self._to_host()
            mean = self._divided(rows)
        return mean

    def _divided(self, rows: slice) -> Tensor:
        assert self._sums is not None and self._total is not None
        return self._sums[:, rows] / self._total[rows]

    def _move_up(self, count: int) -> None:
        """Drop the first rows and make room below; takes no memory, so cannot stop half way."""
        assert self._sums is not None and self._total is not None and self._spare is not None
        kept = max(0, len(self._total) - count)
        for plane in (*self._sums, self._total):
            self._spare[:kept] = plane[count:]
            plane[:kept] = self._spare[:kept]
            plane[kept:] = 0

    def _allocate(self, classes: int) -> None:
        shape = (classes, len(self._weights), self._width)
        devices = [torch.device("cpu")]
        for device in devices if self._on_host else [self._weights.device, *devices]:
            planes = fitting(torch.zeros, (classes + 2, *shape[1:]), device=device)
            if planes is not None:
                self._sums, self._total, self._spare = planes[:-2], planes[-2], planes[-1]
                self._weights = self._weights.to(device)
                self._on_host = device.type == "cpu"
                return
        needed = readable(4 * (classes + 2) * shape[1] * shape[2])
        raise ResourceError(
            f"the sums of a row of tiles, {classes} class(es) of {shape[1]}×{shape[2]} pixels, "
            f"take {needed}, more than is free; set a lower infer.tile"
        )

    def leave_device(self) -> bool:
        """Make room on the device, where a tile needs it; False if nothing of this is there."""
        if self._on_host:
            return False
        self._to_host()
        return True

    def _to_host(self) -> None:
        self._on_host = True
        if self._sums is None or self._total is None or self._spare is None:
            return
        self._sums, self._total = self._sums.cpu(), self._total.cpu()
        self._spare = self._spare.cpu()
        self._weights = self._weights.cpu()
