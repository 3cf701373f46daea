"""The rows of an image with its neighbours in a stack behind one another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.data.image_sources.band_rows import BandRows
from pipeline.errors import DataError


@dataclass(frozen=True)
class StackedRows:
    """HWC float32 as `PixelRows`. slices: in the order of the neighbours; None has no data."""

    slices: tuple[BandRows | None, ...]

    def __post_init__(self) -> None:
        there = [each for each in self.slices if each is not None]
        for other in there[1:]:
            if other.shape != there[0].shape:
                raise DataError(
                    f"{other.files[0].path} is {other.shape[0]}×{other.shape[1]}, and "
                    f"{there[0].files[0].path} of the same stack "
                    f"{there[0].shape[0]}×{there[0].shape[1]}"
                )

    @property
    def _one(self) -> tuple[int, int, int]:
        return next(each.shape for each in self.slices if each is not None)

    @property
    def shape(self) -> tuple[int, int, int]:
        height, width, bands = self._one
        return height, width, bands * len(self.slices)

    @property
    def dtype(self) -> np.dtype[Any]:
        return np.dtype(np.float32)

    def __getitem__(self, rows: slice) -> NDArray[np.float32]:
        height, width, bands = self._one
        start, stop, _ = rows.indices(height)
        nothing = np.full((max(0, stop - start), width, bands), np.nan, np.float32)
        return np.concatenate([nothing if each is None else each[rows] for each in self.slices], 2)
