"""Images of any bands and any type of number: float32, with NaN where there is no data."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from pipeline.config import DataConfig
from pipeline.config.bands import COLOURS
from pipeline.data.array_files.array_file import ArrayFile
from pipeline.data.array_files.registry import open_array
from pipeline.data.image_sources.band_rows import BandRows, marked, with_derived
from pipeline.data.image_sources.image_files import files_of
from pipeline.data.image_sources.source import Examined, PixelRows, Pixels
from pipeline.data.image_sources.stack_files import StackFiles
from pipeline.data.image_sources.stacked_rows import StackedRows
from pipeline.data.volumes import open_slice, open_volume, slice_path, split_slice, whole_file
from pipeline.errors import DataError
from pipeline.size import Size

STRETCH = (2, 98)
"""The percentiles of a band that people are shown as black and white."""


@dataclass(frozen=True)
class BandImages:
    """The bands of `data.bands` and `data.derive`, in this order; see `ImageSource`.

    Where an image has several files, the first one stands for it, and bands of another resolution
    are brought to its.
    """

    data: DataConfig

    dtype: ClassVar[np.dtype[Any]] = np.dtype(np.float32)
    scale: ClassVar[float] = 1
    blank: ClassVar[float] = float("nan")
    suffix: ClassVar[str] = ".npy"
    default_rule: ClassVar[str] = "zscore"

    @classmethod
    def of(cls, data: DataConfig) -> Self | None:
        return cls(data) if data.bands is not None else None

    @property
    def channels(self) -> int:
        return len(self.bands)

    @property
    def bands(self) -> tuple[str, ...]:
        return self.data.band_names

    def read(self, path: Path) -> Pixels:
        return self.rows(path)[:]

    def rows(self, path: Path) -> PixelRows:
        if self.data.stack is None:
            return self._rows(path)
        return StackedRows(
            tuple(None if each is None else self._rows(each) for each in self._stack.slices(path))
        )

    def decode(self, data: bytes, path: Path) -> Pixels:
        return self.read(path)

    def examine(self, data: bytes, path: Path) -> Examined:
        return self.examine_rows(path)

    def examine_rows(self, path: Path) -> Examined:
        """Of the image itself; its neighbours are examined as images of their own."""
        rows = self._rows(path)
        pixels = rows[:]
        notes = dict.fromkeys(note for file in rows.files for note in file.notes)
        means = tuple(_mean(pixels[..., number]) for number in range(pixels.shape[2]))
        content = None if self.data.volume is None else np.ascontiguousarray(pixels).data
        return Examined(pixels, 1, (*notes, *self._notes(pixels)), means, content)

    def files(self, path: Path) -> tuple[Path, ...]:
        return files_of(self.data, whole_file(path, self.data))

    def neighbours(self, path: Path) -> tuple[Path, ...]:
        if self.data.stack is None:
            return ()
        others = dict.fromkeys(each for each in self._stack.slices(path) if each is not None)
        others.pop(path, None)
        others.pop(path.absolute(), None)
        return tuple(others)

    def size_of(self, path: Path) -> Size:
        height, width = self._rows(path).shape[:2]
        return height, width

    def shown(self, pixels: Pixels) -> NDArray[np.uint8]:
        planes = [_stretched(pixels[..., self.bands.index(name)]) for name in self._shown_bands]
        return np.dstack(planes if len(planes) == len(COLOURS) else planes[:1] * len(COLOURS))

    def write(self, pixels: Pixels, stream: BinaryIO) -> None:
        np.save(stream, np.asarray(pixels, self.dtype))

    def read_written(self, path: Path) -> Pixels:
        try:
            written: Pixels = np.load(path, allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise DataError(f"{path} cannot be read: {error}; run align again") from None
        return written

    def given(self, image: NDArray[Any]) -> Pixels:
        names = self.data.bands
        if self.data.stack is not None:
            raise DataError("the neighbours of an array are not known; give the path of its file")
        assert names is not None
        fits = image.ndim == 3 and image.shape[2] == len(names) and image.size
        if not fits or image.dtype.kind not in "uif":
            raise DataError(
                f"an image is HWC with the bands {', '.join(names)}, and this is {image.shape} "
                f"{image.dtype}; convert it, or give the path of its file"
            )
        return with_derived(marked(image, (self.data.no_data,)), names, self.data.derive)

    def types(self, path: Path) -> tuple[np.dtype[Any], ...]:
        """Of the numbers in each file of an image, from its header."""
        return tuple(file.dtype for file in self._rows(path).files)

    def _rows(self, path: Path) -> BandRows:
        data = self.data
        assert data.bands is not None
        if data.volume is not None:
            opened = self._slices(path)
        else:
            files = files_of(data, path)
            opened = tuple(open_array(file, key=data.array, axes=data.axes) for file in files)
        return BandRows(opened, data.bands, data.derive, data.no_data)

    def _slices(self, path: Path) -> tuple[ArrayFile, ...]:
        """The slice in the volume of each band."""
        volume, number = split_slice(path)
        files, key = files_of(self.data, volume), self.data.array
        planes = [open_volume(file, self.data, key=key).planes for file in files]
        for file, count in zip(files, planes, strict=True):
            if count != planes[0]:
                raise DataError(f"{file} has {count} slice(s), and {files[0]} {planes[0]}")
        return tuple(open_slice(slice_path(file, number), self.data, key=key) for file in files)

    @cached_property
    def _stack(self) -> StackFiles:
        return StackFiles(self.data)

    @cached_property
    def _shown_bands(self) -> tuple[str, ...]:
        if self.data.show is not None:
            return self.data.show
        own = self.data.own_bands
        if set(COLOURS) <= set(own):
            return COLOURS
        return own[:3] if len(own) >= len(COLOURS) else own[:1]

    def _notes(self, pixels: Pixels) -> Iterator[str]:
        nothing = np.isnan(pixels)
        if nothing.any():
            yield "pixels lack data in some band"
        for number, name in enumerate(self.data.own_bands):
            values = pixels[..., number][~nothing[..., number]]
            if not values.size:
                yield f"band {name} has no data at all"
            elif values.min() == values.max():
                yield f"band {name} is constant"


def _mean(band: NDArray[np.float32]) -> float:
    there = band[~np.isnan(band)]
    return float(there.mean(dtype=np.float64)) if there.size else float("nan")


def _stretched(band: NDArray[np.float32]) -> NDArray[np.uint8]:
    """0..255 from the lower to the upper percentile; 0 where there is no data."""
    there = band[np.isfinite(band)]
    if not there.size:
        return np.zeros(band.shape, np.uint8)
    low, high = np.percentile(there, STRETCH)
    grey = (band - low) * (255 / max(high - low, 1e-12))
    return np.asarray(np.nan_to_num(grey.clip(0, 255), nan=0), np.uint8)
