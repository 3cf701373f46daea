"""Reads images of any kind into HWC uint8 RGB, and refuses to read half a file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pipeline.data.containers import converted, open_picture
from pipeline.data.picture_header import ImageHeader
from pipeline.errors import DataError

_ROWS = 4096  # of a large image that become an array together
SIXTEEN_BIT = {"I;16", "I;16B", "I;16L", "I;16N", "I"}


@dataclass(frozen=True)
class DecodedImage:
    """An image, and facts about its file that the eight bits do not show."""

    rgb: NDArray[np.uint8]
    """HWC."""
    header: ImageHeader
    mode: str
    """Pillow's name of how the pixels are stored."""
    deep: NDArray[np.integer] | None = None
    """HW, the gray values of more than 8 bits as they are stored."""


def read_rgb(path: Path, *, turn: bool = True) -> NDArray[np.uint8]:
    """The image at `path`, HWC uint8 RGB.

    Gray is repeated, alpha dropped, CMYK converted, 16 bits scaled to 8, and EXIF rotation
    applied, as viewers and annotation tools do, unless turn is False. Raises DataError naming the
    file.
    """
    return decode_rgb(read_bytes(path), path, turn=turn)


def read_bytes(path: Path) -> bytes:
    """The bytes of a file; DataError naming it when there are none."""
    with opened(path) as stream:
        return stream.read()


@contextmanager
def opened(path: Path) -> Iterator[BufferedReader]:
    """A file that has bytes, to read some of them; DataError naming it where there are none."""
    try:
        with path.open("rb") as stream:
            if not stream.peek(1):
                raise DataError(f"{path} is empty (0 bytes); get the file again")
            yield stream
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from None


def decode_rgb(data: bytes, path: Path, *, turn: bool = True) -> NDArray[np.uint8]:
    """`read_rgb` for bytes already read; `path` is only for messages."""
    return decode_image(data, path, turn=turn).rgb


def decode_image(data: bytes, path: Path, *, turn: bool = True) -> DecodedImage:
    """`decode_rgb`, with what is known of the file besides."""
    picture = open_picture(data, path, turn=turn)
    image = picture.pixels
    if image.mode in SIXTEEN_BIT:
        deep = np.asarray(image)
        rgb = np.repeat(_eight_bits(deep)[..., None], 3, axis=2)
        return DecodedImage(rgb, picture.header, image.mode, deep)
    colours = image if image.mode == "RGB" else converted(image, "RGB", path)
    return DecodedImage(_pixels(colours), picture.header, image.mode)


def _pixels(image: Image.Image) -> NDArray[np.uint8]:
    """The array of an RGB image. By rows, because Pillow would make copies of all on the way."""
    if image.height <= _ROWS:
        return np.asarray(image)
    pixels = np.empty((image.height, image.width, 3), np.uint8)
    for top in range(0, image.height, _ROWS):
        bottom = min(top + _ROWS, image.height)
        pixels[top:bottom] = np.asarray(image.crop((0, top, image.width, bottom)))
    return pixels


def _eight_bits(values: NDArray[np.generic]) -> NDArray[np.uint8]:
    scaled = np.rint(np.clip(values.astype(np.float32), 0, 65535) / 257)
    return scaled.astype(np.uint8)
