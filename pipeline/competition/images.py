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

_SURELY_FITS = 5 * 10**7  # pixels
SIXTEEN_BIT = {"I;16", "I;16B", "I;16L", "I;16N", "I"}


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
    if image.mode in SIXTEEN_BIT:
        gray = _eight_bits(np.asarray(image))
        return np.repeat(gray[..., None], 3, axis=2)
    return np.asarray(_converted(image, "RGB", path))


def decode_values(data: bytes, path: Path) -> NDArray[np.uint8] | NDArray[np.int32]:
    """The pixel values of a mask file, HW: palette indices or gray levels, as they are stored.

    A colour file whose channels are equal counts as gray. Raises DataError naming the file, for a
    JPEG too, whose values are not the ones that were painted.
    """
    if _is_jpeg(data):
        raise DataError(f"{path} is a JPEG, which blurs a mask's values; save the masks as PNG")
    image = _decoded(data, path)
    if image.mode in ("L", "P"):
        return np.asarray(image)
    if image.mode == "1":
        return np.asarray(image).astype(np.uint8)
    if image.mode in SIXTEEN_BIT:
        return np.asarray(image).astype(np.int32)
    channels = np.asarray(_converted(image, "RGB", path))
    if (channels != channels[..., :1]).any():
        raise DataError(f"{path} is a colour picture; a mask holds one value a pixel")
    return np.ascontiguousarray(channels[..., 0])


def decode_inside(data: bytes, path: Path) -> NDArray[np.bool_]:
    """Where a mask file of one class is not zero, bool HW; in a JPEG, where it is rather white.

    A JPEG of 0/255 holds 1, 2, 3 … around every edge. Raises DataError naming the file.
    """
    if not _is_jpeg(data):
        return np.asarray(decode_values(data, path) != 0)
    return np.asarray(_converted(_decoded(data, path), "L", path)) >= 128


def _decoded(data: bytes, path: Path) -> Image.Image:
    try:
        image = Image.open(BytesIO(data))
        _refuse_damaged_header(image, len(data))
        image.load()
        return ImageOps.exif_transpose(image)
    except UnidentifiedImageError:
        raise DataError(f"{path} is no image of a known format; get the file again") from None
    except Exception as error:  # damaged bytes bring anything out of Pillow's many readers
        reason = str(error) or type(error).__name__
        raise DataError(f"{path} cannot be decoded ({reason}); get the file again") from None


def _refuse_damaged_header(image: Image.Image, size: int) -> None:
    """More pixels than any format packs (zstd: 33,000 a byte) are a header with a wrong bit.

    Without this, such a file takes all memory before it is found to be too short. Fax codes of
    1-bit pictures have no such limit.
    """
    pixels = image.width * image.height
    if image.mode != "1" and pixels > max(_SURELY_FITS, 40_000 * size):
        raise ValueError(f"{image.width}×{image.height} pixels cannot be in {size} bytes")


def _converted(image: Image.Image, mode: str, path: Path) -> Image.Image:
    if image.mode == "F":
        raise DataError(f"{path} holds floating-point pixels; convert it to 8 or 16 bits")
    return image.convert(mode)


def _is_jpeg(data: bytes) -> bool:
    return data.startswith(b"\xff\xd8\xff")


def _eight_bits(values: NDArray[np.generic]) -> NDArray[np.uint8]:
    scaled = np.rint(np.clip(values.astype(np.float32), 0, 65535) / 257)
    return scaled.astype(np.uint8)
