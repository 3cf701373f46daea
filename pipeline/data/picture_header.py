"""Facts in an image file that its decoded pixels no longer show."""

from __future__ import annotations

import re
from dataclasses import dataclass

from PIL import Image, TiffImagePlugin

_ORIENTATION = 0x0112
_BITS, _COMPRESSION, _PHOTOMETRIC = 258, 259, 262
_MOST_BITS = 64
_LOSSY_TIFF = {6, 7, 34712, 34892, 50001}  # JPEG, JPEG 2000, WebP


@dataclass(frozen=True)
class ImageHeader:
    """Facts from the tags and chunks of one image's file."""

    format: str
    bits: int = 8
    """Of a stored sample; 8 for what is no other."""
    lossy: str = ""
    """Name of the lossy compression, if any."""
    white_is_zero: bool = False
    orientation: int = 1
    """As EXIF counts: 1 is upright, 5 to 8 lie on their side."""
    previews: int = 0
    """Smaller images beside the one that is read."""


def read_header(image: Image.Image, data: bytes, previews: int, orientation: int) -> ImageHeader:
    """Of an image and the bytes of its file. previews, orientation: as `ImageHeader` has them."""
    tags = image.tag_v2 if isinstance(image, TiffImagePlugin.TiffImageFile) else {}
    return ImageHeader(
        format=image.format or "",
        bits=_bits(image, data, tags.get(_BITS)),
        lossy=_lossy(image, data, tags.get(_COMPRESSION)),
        white_is_zero=tags.get(_PHOTOMETRIC) == 0,
        orientation=orientation,
        previews=previews,
    )


def orientation_of(image: Image.Image) -> int:
    """As EXIF counts; Pillow's TIFF loses it when it is loaded."""
    found = image.getexif().get(_ORIENTATION, 1)
    return found if isinstance(found, int) and 1 <= found <= 8 else 1


def _bits(image: Image.Image, data: bytes, tag: object) -> int:
    """Bits of a stored sample of gray or colour; of a palette the bits of a colour, 8."""
    if image.mode in ("P", "PA"):
        return 8
    if image.format == "PNG":
        return data[24]  # in IHDR, which is the first chunk
    if image.format == "SGI":
        return 8 * data[3]
    if image.format == "PPM":
        return (largest_in_ppm(data) or 1).bit_length()
    if image.format == "JPEG2000":
        return _bits_in_jpeg2000(data)
    samples = tag if isinstance(tag, tuple) else (tag,)
    if all(isinstance(each, int) for each in samples) and samples:
        return min(int(max(samples)), _MOST_BITS)  # of a damaged file anything
    if image.mode == "1":
        return 1
    return 16 if image.mode.startswith("I") else 8


def largest_in_ppm(data: bytes) -> int | None:
    """The number that is white in a PGM or PPM; None for other kinds."""
    fields = re.match(rb"P[2356](?:\s+|#[^\n]*\n)+(?:\d+(?:\s+|#[^\n]*\n)+){2}(\d+)", data)
    return int(fields[1]) if fields else None


def _bits_in_jpeg2000(data: bytes) -> int:
    """Of the first component, as the codestream's SIZ marker says (ISO 15444-1, A.5.1)."""
    at = data.find(b"\xff\x51")
    return (data[at + 40] & 0x7F) + 1 if 0 <= at < len(data) - 40 else 8


def _lossy(image: Image.Image, data: bytes, compression: object) -> str:
    kind = image.format or ""
    if kind in ("JPEG", "MPO"):
        return "JPEG"
    if kind == "TIFF":
        return "TIFF with lossy compression" if compression in _LOSSY_TIFF else ""
    if kind == "WEBP":
        return "" if _webp_is_lossless(data) else "lossy WebP"
    if kind == "JPEG2000":
        return "lossy JPEG 2000" if _is_irreversible(data) else ""
    return "AVIF" if kind == "AVIF" else ""


def _webp_is_lossless(data: bytes) -> bool:
    """True if the image's chunk of the RIFF file is VP8L and not VP8."""
    at = 12
    while at + 8 <= len(data):
        if data[at : at + 4] == b"VP8L":
            return True
        if data[at : at + 4] == b"VP8 ":
            return False
        size = int.from_bytes(data[at + 4 : at + 8], "little")
        at += 8 + size + size % 2
    return False


def _is_irreversible(data: bytes) -> bool:
    """True if the codestream's COD marker names the 9-7 wavelet (ISO 15444-1, A.6.1)."""
    at = data.find(b"\xff\x52")
    return at >= 0 and at + 13 < len(data) and data[at + 13] == 0
