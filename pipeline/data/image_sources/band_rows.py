"""The rows of an image of bands: read from its files, without-data marked, derived bands added."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.data.array_files.array_file import ArrayFile
from pipeline.data.derived_bands import evaluate
from pipeline.data.image_sources.resampled_rows import resampled_rows
from pipeline.errors import DataError

Values = NDArray[np.float32]


@dataclass(frozen=True)
class BandRows:
    """An image HWC float32 as `PixelRows`.

    files: each of one band or more, in the order of `names`, those of all bands; derived:
    expressions of further ones; no_data: the value that means it, besides those that files name and
    NaN.
    """

    files: tuple[ArrayFile, ...]
    names: tuple[str, ...]
    derived: Mapping[str, str]
    no_data: float | None

    def __post_init__(self) -> None:
        for file in self.files:
            if "Z" in file.axes:
                raise DataError(
                    f"{file.path} holds {file.shape[0]} slices, not one image; to make each of "
                    "them an image, set data.volume: {}"
                )
        counts = [file.shape[-1] if file.axes.endswith("C") else 1 for file in self.files]
        if sum(counts) != len(self.names):
            found = [f"{file.path} has {count} channel(s)"
                     for file, count in zip(self.files, counts, strict=True)
                     if count > 1 or len(self.files) != len(self.names)]  # fmt: skip
            raise DataError(
                f"{', '.join(found)}, and data.bands names {len(self.names)}: "
                f"{', '.join(self.names)}"
            )

    @property
    def shape(self) -> tuple[int, int, int]:
        height, width = self.files[0].shape[:2]
        return height, width, len(self.names) + len(self.derived)

    @property
    def dtype(self) -> np.dtype[Any]:
        return np.dtype(np.float32)

    def __getitem__(self, rows: slice) -> Values:
        start, stop, _ = rows.indices(self.shape[0])
        read = [self._read(file, slice(start, stop)) for file in self.files]
        return with_derived(np.concatenate(read, axis=2), self.names, self.derived)

    def _read(self, file: ArrayFile, rows: slice) -> Values:
        """HWC of the first file's size; NaN where there is no data."""
        own, wanted = (each.plane_shape[:2] for each in (file, self.files[0]))
        if own == wanted:
            return self._marked(file, rows)
        size, target = (own[0], own[1]), (wanted[0], wanted[1])
        return resampled_rows(lambda some: self._marked(file, some), size, target, rows)

    def _marked(self, file: ArrayFile, rows: slice) -> Values:
        return marked(file.read(rows), (file.no_data, self.no_data))


def marked(stored: NDArray[Any], no_data: Iterable[float | None]) -> Values:
    """HW or HWC of any type → HWC float32, NaN for these values and for what is not finite."""
    planes = stored.reshape(*stored.shape[:2], -1)
    with np.errstate(over="ignore"):  # beyond float32 is infinite, and so no data
        values = planes.astype(np.float32)
        for nothing in no_data:
            if nothing is not None:
                values[planes == nothing] = np.nan
    values[~np.isfinite(values)] = np.nan
    return values


def with_derived(stored: Values, names: Sequence[str], derived: Mapping[str, str]) -> Values:
    """HWC of the stored bands → the same, with the derived ones behind them."""
    bands = dict(zip(names, np.moveaxis(stored, 2, 0), strict=True))
    more = [evaluate(text, bands)[..., None] for text in derived.values()]
    return np.concatenate([stored, *more], axis=2) if more else stored
