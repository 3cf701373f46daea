"""Decodes a mask file into the numbers it stores and the gray levels that viewers show for them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pipeline.data.containers import converted, open_picture
from pipeline.data.images import SIXTEEN_BIT
from pipeline.data.picture_header import ImageHeader, largest_in_ppm
from pipeline.errors import DataError

Values = NDArray[np.uint8] | NDArray[np.int32]
_COLOUR = 48  # gray levels by which the channels of a blurred gray mask do not differ
_COLOURED = 0.01  # of the pixels


@dataclass(frozen=True)
class MaskPixels:
    """Content of a mask file, before its numbers are interpreted."""

    stored: Values
    """HW: palette indices, or samples as they are stored."""
    shown: Values
    """HW: the gray levels that viewers show; `stored` itself where there is no difference."""
    header: ImageHeader
    palette: NDArray[np.uint8] | None = None
    """The N×3 colours of the indices, where not all of them are gray."""
    alpha: NDArray[np.uint8] | None = None
    """HW, where not all is opaque."""
    keyed: bool = False
    """True if the alpha comes from single values that are declared transparent."""


def decode_pixels(data: bytes, path: Path, *, turn: bool = True) -> MaskPixels:
    """The pixels of a mask file; DataError naming it when they are not one number each."""
    picture = open_picture(data, path, turn=turn)
    image, header = picture.pixels, picture.header
    if image.mode in ("P", "PA"):
        return _of_palette(image, header)
    if image.mode == "1":
        stored = np.asarray(image).astype(np.uint8)
        return _keyed(MaskPixels(stored, stored * np.uint8(255), header), image)
    if image.mode in SIXTEEN_BIT:
        deep = np.asarray(image).astype(np.int32)
        if (deep < 0).any():
            raise DataError(
                f"{path} holds values below 0 or from 2^31 on; save the masks as 8-bit PNG"
            )
        return _keyed(_rescaled(deep, 65535, data, header), image)
    if image.mode == "L" and header.format != "SGI":
        return _keyed(_rescaled(np.asarray(image), 255, data, header), image)
    return _of_colours(image, data, header, path)


def _of_colours(image: Image.Image, data: bytes, header: ImageHeader, path: Path) -> MaskPixels:
    """Gray with alpha, and colours, whose three channels must be equal."""
    _refuse_other_than_eight_bits(image, data, header, path)
    has_alpha = image.mode in ("LA", "La", "RGBA", "RGBa")
    pixels = np.asarray(converted(image, "RGBA" if has_alpha else "RGB", path))
    colours = pixels[..., :3]
    if header.lossy:
        spread = np.ptp(colours, axis=2)
        if (spread > _COLOUR).mean() > _COLOURED:
            raise DataError(f"{path} is a colour image; a mask has one value per pixel")
        gray = np.asarray(converted(image, "L", path))
    elif (colours != colours[..., :1]).any():
        raise DataError(f"{path} is a colour image; a mask has one value per pixel")
    else:
        gray = np.ascontiguousarray(colours[..., 0])
    alpha = pixels[..., 3] if has_alpha else None
    if alpha is not None:
        opaque = bool((alpha == 255).all())
        return MaskPixels(gray, gray, header, alpha=None if opaque else alpha)
    return _keyed(MaskPixels(gray, gray, header), image)


def _refuse_other_than_eight_bits(
    image: Image.Image, data: bytes, header: ImageHeader, path: Path
) -> None:
    """Pillow brings samples of several channels, and of SGI, to 8 bits: small ones become 0."""
    most = _largest_sample(data, header) or 2**header.bits - 1
    if image.mode != "F" and most != 255:
        raise DataError(
            f"{path}: its samples of {header.bits} bits (up to {most}) would be cut or stretched "
            "to 8; save the masks as gray PNG"
        )


def _of_palette(image: Image.Image, header: ImageHeader) -> MaskPixels:
    pixels = np.asarray(image)
    index = np.ascontiguousarray(pixels[..., 0]) if pixels.ndim == 3 else pixels
    known = np.array(image.getpalette("RGB") or [], np.uint8).reshape(-1, 3)
    colours = np.zeros((256, 3), np.uint8)
    colours[: len(known)] = known[:256]
    gray = bool((colours == colours[:, :1]).all())
    found = MaskPixels(
        index, colours[index, 0] if gray else index, header, palette=None if gray else colours
    )
    if pixels.ndim == 3:
        return MaskPixels(**{**vars(found), "alpha": np.ascontiguousarray(pixels[..., 1])})
    return _keyed(found, image)


def _keyed(found: MaskPixels, image: Image.Image) -> MaskPixels:
    """With the alpha of values that the file declares transparent (PNG's tRNS, GIF's index)."""
    key = image.info.get("transparency")
    if key is None:
        return found
    if isinstance(key, bytes):
        opacity = np.full(256, 255, np.uint8)
        opacity[: len(key)] = np.frombuffer(key, np.uint8)[:256]
        alpha = np.asarray(opacity[found.stored])
    elif isinstance(key, tuple) and len(set(key)) > 1:
        return found  # a colour, which no gray mask has
    else:
        value = key[0] if isinstance(key, tuple) else key
        if image.mode == "1":  # of which Pillow tells the gray level
            value = min(value, 1)
        alpha = np.where(found.stored == value, 0, 255).astype(np.uint8)
    if (alpha == 255).all():
        return found
    return MaskPixels(**{**vars(found), "alpha": alpha, "keyed": True})


def _rescaled(shown: Values, white: int, data: bytes, header: ImageHeader) -> MaskPixels:
    """Gray samples of fewer bits, or of a PGM with another maximum, that Pillow has stretched."""
    if header.format == "JPEG2000":  # moved to the left, not stretched
        return MaskPixels(shown >> max(0, white.bit_length() - header.bits), shown, header)
    if header.white_is_zero and white == 65535:  # where Pillow shows what is stored
        return MaskPixels(shown, np.asarray(2**header.bits - 1 - shown, np.int32), header)
    most = _largest_sample(data, header)
    if most is None or most == white:
        stored: Values = shown
        if header.white_is_zero:
            stored = np.asarray(255 - shown, np.uint8)
        return MaskPixels(stored, shown, header)
    samples = np.rint(shown * (most / white))
    stored = np.asarray(most - samples if header.white_is_zero else samples, np.int32)
    return MaskPixels(stored, shown, header)


def _largest_sample(data: bytes, header: ImageHeader) -> int | None:
    """The number that is white in the file; None where samples come as they are."""
    if header.format == "PPM":
        return largest_in_ppm(data)
    return 2**header.bits - 1 if header.bits in (2, 4) else None
