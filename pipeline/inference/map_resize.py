"""Maps brought to the image's own size band by band: bilinear, as a whole map would be."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import torch
from torch import Tensor
from torch.nn import functional as F

from pipeline.inference.bands import BAND_VALUES
from pipeline.inference.device_memory import fitting
from pipeline.size import Size


def resized_bands(bands: Iterable[Tensor], size: Size, own: Size) -> Iterator[Tensor]:
    """Bands CxhxW, top to bottom, of a map of (H, W) `size` → bands of the map at `own`.

    Pixel centres, no antialias, as `F.interpolate` does it; equal to it up to float32 rounding.
    """
    if size == own:
        yield from bands
        return
    rows = _SourceRows(size[0], own[0])
    held, top, done = torch.empty(0), 0, 0
    for band in bands:
        wide = _fitting(_widened, band, own[1])
        held = wide if not held.numel() else torch.cat([held.to(wide.device), wide], dim=1)
        ready = rows.known(top + held.shape[1])
        step = max(1, BAND_VALUES // (len(held) * own[1]))
        for start in range(done, ready, step):
            yield _fitting(rows.between, held, top, start, min(start + step, ready))
        done = ready
        needed = min(rows.first(done), top + held.shape[1])
        held, top = held[:, needed - top :].clone(), needed


class _SourceRows:
    """For each row of a resized map the two rows that it lies between, and how near the second."""

    def __init__(self, before: int, after: int) -> None:
        centres = (torch.arange(after, dtype=torch.float64) + 0.5) * (before / after) - 0.5
        centres = centres.clamp_(0, before - 1)
        self._above = centres.floor().long()
        self._below = (self._above + 1).clamp_(max=before - 1)
        self._share = (centres - self._above).float()

    def known(self, count: int) -> int:
        """How many rows can be made of the first `count`."""
        return int((self._below < count).sum())

    def first(self, row: int) -> int:
        """The first row that `row` and those below it are made of."""
        return int(self._above[min(row, len(self._above) - 1)])

    def between(self, held: Tensor, top: int, start: int, stop: int) -> Tensor:
        """Rows start..stop, from the rows `held` that begin with row `top`."""
        above = held.index_select(1, (self._above[start:stop] - top).to(held.device))
        below = held.index_select(1, (self._below[start:stop] - top).to(held.device))
        share = self._share[start:stop, None].to(held.device)
        return above.lerp_(below, share).clamp_(0, 1)


def _widened(band: Tensor, width: int) -> Tensor:
    """Each row by itself at another width."""
    if band.shape[2] == width:
        return band
    size = (band.shape[1], width)
    return F.interpolate(band[None], size=size, mode="bilinear", align_corners=False)[0]


def _fitting(call: Callable[..., Tensor], band: Tensor, *arguments: int) -> Tensor:
    """On the device of the band, or on the host where that has no memory for it."""
    result = fitting(call, band, *arguments)
    return call(band.cpu(), *arguments) if result is None else result
