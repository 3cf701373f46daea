"""Opens image files that others made: known formats only, one image each, within free memory.

Pillow decodes, because it raises on truncated files where OpenCV fills the rest with gray.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from PIL import Image, ImageOps, UnidentifiedImageError

from pipeline.data.bmp import decode_misread
from pipeline.data.decoding_memory import memory_for
from pipeline.data.pages import RefusedError, choose_page
from pipeline.data.picture_header import ImageHeader, orientation_of, read_header
from pipeline.errors import DataError
from pipeline.size import Size

Image.MAX_IMAGE_PIXELS = None  # slides of 10^9 pixels are what some competitions are about

FORMATS = (
    "PNG", "JPEG", "TIFF", "GIF", "BMP", "WEBP", "JPEG2000", "AVIF", "PPM", "TGA",
    "PCX", "SGI", "QOI",
)  # fmt: skip
"""The accepted formats. Pillow knows more, some through other programs (EPS by Ghostscript)."""

_BACK = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}
"""Orientation → the transposition that undoes it."""


def image_suffixes() -> frozenset[str]:
    """The endings, in lower case, of files in accepted formats."""
    return frozenset(
        suffix for suffix, kind in Image.registered_extensions().items() if kind in FORMATS
    )


@dataclass(frozen=True)
class DecodedImage:
    """One decoded image, turned by EXIF if that was asked for, and its header."""

    pixels: Image.Image
    header: ImageHeader


def open_picture(data: bytes, path: Path, *, turn: bool = True) -> DecodedImage:
    """Decode the only image in `data`; `path` is for messages. turn: as EXIF says.

    Raises DataError naming the file: damaged, of another format, holding several images, or
    larger than the memory that is free.
    """
    with _errors_named(path):
        image: Image.Image = Image.open(BytesIO(data), formats=FORMATS)
        previews = choose_page(image, data)
        with memory_for(image, len(data)):
            orientation = orientation_of(image)  # Pillow's TIFF loses it when it is loaded
            pixels = decode_misread(image, data)
            if pixels is None:
                image.load()
                pixels = image
            header = read_header(image, data, previews, orientation)
            if pixels is not image:
                header = replace(header, bits=8)
            if header.format == "JPEG2000" and header.bits > 8 and len(image.getbands()) > 1:
                # Pillow rounds their largest values up to 256, which it stores as 0
                raise RefusedError(f"has {header.bits} bits a channel; convert it to 8-bit PNG")
            return DecodedImage(_turned(pixels, header, turn), header)


def _turned(image: Image.Image, header: ImageHeader, turn: bool) -> Image.Image:
    """The loaded image as EXIF says, or as it is stored; a TIFF is loaded as EXIF says."""
    if turn:
        return ImageOps.exif_transpose(image) if header.orientation != 1 else image
    back = _BACK.get(header.orientation) if header.format == "TIFF" else None
    return image if back is None else image.transpose(back)


def size_in_header(stream: BinaryIO, path: Path, *, turn: bool = True) -> Size:
    """Height and width of the image that `open_picture` would decode, without decoding it: of most
    formats only the header is read.
    """
    with _errors_named(path):
        image: Image.Image = Image.open(stream, formats=FORMATS)
        choose_page(image, _whole(stream) if image.format == "MPO" else b"")
        is_turned = image.format == "TIFF"  # where Pillow's size is that of the turned image
        lies = orientation_of(image) > 4 and turn != is_turned
        return (image.width, image.height) if lies else (image.height, image.width)


def _whole(stream: BinaryIO) -> bytes:
    stream.seek(0)
    return stream.read()


def converted(image: Image.Image, mode: str, path: Path) -> Image.Image:
    """The image in another mode of Pillow's; DataError where there is no way to it."""
    if image.mode == "F":
        raise DataError(f"{path} holds floating-point pixels; convert it to 8 or 16 bits")
    with _errors_named(path):
        return image.convert(mode)


@contextmanager
def _errors_named(path: Path) -> Iterator[None]:
    try:
        yield
    except UnidentifiedImageError:
        names = ", ".join(FORMATS)
        raise DataError(
            f"{path} is not an image of a known format ({names}); get the file again, or convert it"
        ) from None
    except RefusedError as error:
        raise DataError(f"{path} {error}") from None
    except MemoryError:
        raise DataError(f"{path} cannot be decoded: there is not enough memory for it") from None
    except Exception as error:  # damaged bytes bring anything out of Pillow's many readers
        reason = str(error) or type(error).__name__
        raise DataError(f"{path} cannot be decoded ({reason}); get the file again") from None
