"""Reads images of any kind into HWC uint8 RGB, and refuses to read half a file.

Pillow decodes, because it raises on truncated files where OpenCV fills the rest with gray.
"""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from pipeline.errors import DataError

Image.MAX_IMAGE_PIXELS = None  # slides of 10^9 pixels are what some competitions are about

_SIXTEEN_BIT = {"I;16", "I;16B", "I;16L", "I;16N", "I"}


def read_rgb(path: Path) -> NDArray[np.uint8]:
    """The image at `path`, HWC uint8 RGB.

    Gray is repeated, alpha dropped, CMYK converted, 16 bits scaled to 8, and EXIF rotation
    applied, as viewers and annotation tools do. Raises DataError naming the file.
    """
    return decode_rgb(read_bytes(path), path)


def read_bytes(path: Path) -> bytes:
    """The bytes of a file; DataError naming it when there are none."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from None
    if not data:
        raise DataError(f"{path} is empty (0 bytes); get the file again")
    return data


def decode_rgb(data: bytes, path: Path) -> NDArray[np.uint8]:
    """`read_rgb` for bytes already read; `path` is only for messages."""
    image = _decoded(data, path)
    if image.mode in _SIXTEEN_BIT:
        gray = _eight_bits(np.asarray(image))
        return np.repeat(gray[..., None], 3, axis=2)
    if image.mode == "F":
        raise DataError(f"{path} holds floating-point pixels; convert it to 8 or 16 bits")
    return np.asarray(image.convert("RGB"))


def decode_values(data: bytes, path: Path) -> NDArray[np.uint8] | NDArray[np.int32]:
    """The pixel values of a mask file, HW: palette indices or gray levels, as they are stored.

    A colour file whose channels are equal counts as gray. Raises DataError naming the file.
    """
    image = _decoded(data, path)
    if image.mode in ("L", "P"):
        return np.asarray(image)
    if image.mode == "1":
        return np.asarray(image.convert("L"))
    if image.mode in _SIXTEEN_BIT:
        return np.asarray(image).astype(np.int32)
    channels = np.asarray(image.convert("RGB"))
    if (channels != channels[..., :1]).any():
        raise DataError(f"{path} is a colour picture; a mask holds one value a pixel")
    return np.ascontiguousarray(channels[..., 0])


def _decoded(data: bytes, path: Path) -> Image.Image:
    try:
        image = Image.open(BytesIO(data))
        image.load()
        return ImageOps.exif_transpose(image)
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, EOFError) as error:
        reason = "no known image format" if isinstance(error, UnidentifiedImageError) else error
        raise DataError(f"{path} cannot be decoded ({reason}); get the file again") from None


def _eight_bits(values: NDArray[np.generic]) -> NDArray[np.uint8]:
    scaled = np.rint(np.clip(values.astype(np.float32), 0, 65535) / 257)
    return scaled.astype(np.uint8)
