"""Images that Pillow reads, as 8-bit RGB, whatever is in the file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pipeline.config import DataConfig
from pipeline.config.bands import COLOURS
from pipeline.data.array_files.tiff import STARTS as TIFF_STARTS
from pipeline.data.bit_depth import lost_levels
from pipeline.data.containers import size_in_header
from pipeline.data.decoding_memory import SURELY_FITS
from pipeline.data.image_sources.band_hint import band_hint
from pipeline.data.image_sources.source import TURNED, Examined, PixelRows, Pixels
from pipeline.data.image_sources.tiff_rows import tiff_rows
from pipeline.data.images import DecodedImage, decode_image, decode_rgb, opened, read_rgb
from pipeline.errors import DataError
from pipeline.size import Size

SMALLER = "smaller copies in the same file are left out"
CONSTANT = "constant image"
ROWS = 1024  # of a large image that are examined together


@dataclass(frozen=True)
class RgbImages:
    """Three channels of 0..255; see `ImageSource`."""

    turn: bool = True
    """True if images are turned as EXIF says."""

    channels: ClassVar[int] = 3
    dtype: ClassVar[np.dtype[Any]] = np.dtype(np.uint8)
    scale: ClassVar[float] = 255
    bands: ClassVar[tuple[str, ...]] = COLOURS
    default_rule: ClassVar[str] = "encoder"
    blank: ClassVar[float] = 128
    suffix: ClassVar[str] = ".png"

    @classmethod
    def of(cls, data: DataConfig) -> Self | None:
        return cls(turn=data.turns) if data.bands is None else None

    def files(self, path: Path) -> tuple[Path, ...]:
        return (path,)

    def neighbours(self, path: Path) -> tuple[Path, ...]:
        return ()

    def read(self, path: Path) -> Pixels:
        return read_rgb(path, turn=self.turn)

    def rows(self, path: Path) -> PixelRows:
        return tiff_rows(path) or self.read(path)

    def decode(self, data: bytes, path: Path) -> Pixels:
        return decode_rgb(data, path, turn=self.turn)

    def examine(self, data: bytes, path: Path) -> Examined:
        try:
            found = decode_image(data, path, turn=self.turn)
        except DataError as error:
            raise DataError(f"{error}{band_hint(path)}") from None
        return Examined(found.rgb, found.header.orientation, tuple(self._notes(data, found, path)))

    def examine_rows(self, path: Path) -> Examined | None:
        height, width = self.size_of(path)
        rows = tiff_rows(path) if height * width > SURELY_FITS else None
        if rows is None:
            return None
        notes = [SMALLER] if rows.copies else []
        first, constant = rows[:1][0, 0], True
        for top in range(0, height, ROWS):  # to the end: every row must be one that can be decoded
            constant &= bool((rows[top : top + ROWS] == first).all())
        if constant:
            notes.append(CONSTANT)
        return Examined(rows, 1, tuple(notes))

    def given(self, image: NDArray[Any]) -> Pixels:
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or not image.size:
            raise DataError(
                f"an image is HWC uint8 RGB, and this is {image.shape} {image.dtype}; convert it, "
                "or give the path of its file"
            )
        return np.ascontiguousarray(image)

    def size_of(self, path: Path) -> Size:
        with opened(path) as stream:
            return size_in_header(stream, path, turn=self.turn)

    def shown(self, pixels: Pixels) -> NDArray[np.uint8]:
        return pixels

    def write(self, pixels: Pixels, stream: BinaryIO) -> None:
        Image.fromarray(pixels).save(stream, format="PNG")

    def read_written(self, path: Path) -> Pixels:
        return read_rgb(path)

    def _notes(self, data: bytes, image: DecodedImage, path: Path) -> Iterator[str]:
        header = image.header
        if header.orientation != 1:
            how = "as viewers show it" if self.turn else "as its pixels are stored"
            yield f"{TURNED}: read, and submitted, {how} (data.exif)"
        if image.mode not in ("RGB", "L", "P"):
            yield f"{image.mode} read as RGB{band_hint(path)}{_fourth(data, image)}"
        if header.previews:
            yield SMALLER
        if lost := lost_levels(data, image):
            yield lost
        # before the division to 8 bits, which may leave one level
        stored = image.rgb if image.deep is None else image.deep
        if (stored == stored[:1, :1]).all():
            yield CONSTANT


def _fourth(data: bytes, image: DecodedImage) -> str:
    """Satellites' fourth bands are often tagged as alpha."""
    if image.mode != "RGBA" or not data.startswith(TIFF_STARTS):
        return ""
    return (
        "; its fourth channel, tagged as alpha, is left out: if it is data, set data.bands: "
        "[red, green, blue, nir]"
    )
