"""The interface of image sources: the one place that knows channels, type and scale."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from pipeline.config import DataConfig
from pipeline.size import Size

TURNED = "turned by EXIF"
"""Start of the note about an image whose pixels EXIF turns."""

Pixels = NDArray[Any]
"""HWC of one image (or of an image and its reference, stacked), of the source's `dtype`."""


class PixelRows(Protocol):
    """An image HWC that gives some of its rows at a time; an array is one, too."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    @property
    def dtype(self) -> np.dtype[Any]: ...

    def __getitem__(self, rows: slice, /) -> Pixels:
        """The rows start..stop as HWC; all of them for `[:]`. DataError as reading the file."""
        ...


@dataclass(frozen=True)
class Examined:
    """An image and the facts that `check` needs."""

    pixels: PixelRows
    orientation: int
    """As EXIF counts: 1 is upright, 5 to 8 lie on their side."""
    notes: tuple[str, ...]
    """Possible problems of the image, and information lost in reading it."""
    means: tuple[float, ...] = ()
    """Of each band, where they are no colours; NaN where it has no data."""
    content: memoryview | None = None
    """What tells it from other images, where the bytes of its file are those of several."""


class ImageSource(Protocol):
    """The images of one experiment. A value: cheap to make, to compare and to pickle."""

    @classmethod
    def of(cls, data: DataConfig) -> Self | None:
        """The images of an experiment, if this is their kind."""
        ...

    @property
    def channels(self) -> int:
        """Of one image as networks see it."""
        ...

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of pixels as they are read, augmented and resized."""
        ...

    @property
    def scale(self) -> float:
        """The divisor of pixel values before a network: the value that becomes 1."""
        ...

    @property
    def bands(self) -> tuple[str, ...]:
        """The names of the channels."""
        ...

    @property
    def default_rule(self) -> str:
        """How values are normalised where `input.normalise` says nothing (`config.bands`)."""
        ...

    @property
    def blank(self) -> float:
        """The value of all pixels of a reference that is missing."""
        ...

    @property
    def suffix(self) -> str:
        """Ending of the files that `write` writes."""
        ...

    def read(self, path: Path) -> Pixels:
        """The network input of a file, HWC; DataError naming a file that cannot be read."""
        ...

    def rows(self, path: Path) -> PixelRows:
        """`read`, some rows at a time where the file can be decoded so; else the whole image."""
        ...

    def decode(self, data: bytes, path: Path) -> Pixels:
        """`read` for bytes already read; `path` is only for messages."""
        ...

    def examine(self, data: bytes, path: Path) -> Examined:
        """`decode`, with further facts about the image."""
        ...

    def examine_rows(self, path: Path) -> Examined | None:
        """`examine` without the bytes of the file, which may be too large to be in memory; None
        where they are needed.
        """
        ...

    def files(self, path: Path) -> tuple[Path, ...]:
        """All files, or folders that are one image, of the image that `path` stands for."""
        ...

    def neighbours(self, path: Path) -> tuple[Path, ...]:
        """The other images that it is read together with, as `Sample.image` has them."""
        ...

    def given(self, image: NDArray[Any]) -> Pixels:
        """`read` for an image that a caller has in memory; DataError where it is no such image."""
        ...

    def size_of(self, path: Path) -> Size:
        """H, W that `read` would give, without decoding it."""
        ...

    def shown(self, pixels: Pixels) -> NDArray[np.uint8]:
        """One image as people and classical algorithms see it: HWC uint8 RGB."""
        ...

    def write(self, pixels: Pixels, stream: BinaryIO) -> None:
        """Write the pixels of one image without loss; `read_written` gives them back."""
        ...

    def read_written(self, path: Path) -> Pixels:
        """The pixels that `write` wrote."""
        ...
