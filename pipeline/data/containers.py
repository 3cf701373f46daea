"""Opens image files that others made: known formats only, one picture each, within free memory.

Pillow decodes, because it raises on truncated files where OpenCV fills the rest with gray.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from PIL import Image, ImageOps, TiffImagePlugin, UnidentifiedImageError

from pipeline.errors import DataError
from pipeline.memory import available_bytes

Image.MAX_IMAGE_PIXELS = None  # slides of 10^9 pixels are what some competitions are about

FORMATS = (
    "PNG", "JPEG", "TIFF", "GIF", "BMP", "WEBP", "JPEG2000", "AVIF", "PPM", "TGA",
    "PCX", "SGI", "QOI",
)  # fmt: skip
"""What is read. Pillow knows more, and hands some of it to other programs (EPS to Ghostscript)."""

EXIF_ORIENTATION = 0x0112
_BACK = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}
"""Orientation → what undoes it."""
_BITS, _COMPRESSION, _PHOTOMETRIC, _SUBFILE, _OLD_SUBFILE = 258, 259, 262, 254, 255
_MOST_BITS = 64
_REDUCED_OR_MASK = 0b101
_MOST_PAGES = 64
_LOSSY_TIFF = {6, 7, 34712, 34892, 50001}  # JPEG, JPEG 2000, WebP
_SURELY_FITS = 5 * 10**7  # pixels
_BYTES_A_PIXEL = 12  # Pillow's own pixels, a converted copy of them, and the array
_SHARE_OF_FREE = 0.75
_large = threading.Lock()
"""Held while a large picture is decoded, so that two threads do not count on the same memory."""


@dataclass(frozen=True)
class Header:
    """What a file says of itself that its decoded pixels do not tell any more."""

    format: str
    bits: int = 8
    """Of a stored sample; 8 for what is no other."""
    lossy: str = ""
    """Name of the lossy compression, if any."""
    white_is_zero: bool = False
    orientation: int = 1
    """As EXIF counts: 1 is upright, 5 to 8 lie on their side."""
    previews: int = 0
    """Smaller pictures beside the one that is read."""


@dataclass(frozen=True)
class Picture:
    """One decoded picture, turned by EXIF if that was asked for, and its header."""

    pixels: Image.Image
    header: Header


class _RefusedError(Exception):
    """Why a file is not read; the text follows its name in the message."""


def open_picture(data: bytes, path: Path, *, turn: bool = True) -> Picture:
    """Decode the only picture in `data`; `path` is for messages. turn: as EXIF says.

    Raises DataError naming the file: damaged, of another format, holding several pictures, or
    larger than the memory that is free.
    """
    with _errors_named(path):
        image: Image.Image = Image.open(BytesIO(data), formats=FORMATS)
        previews = _choose_page(image, data)
        with _memory_for(image, len(data)):
            orientation = _orientation(image)  # Pillow's TIFF loses it when it is loaded
            image.load()
            header = _header(image, data, previews, orientation)
            if header.format == "JPEG2000" and header.bits > 8 and len(image.getbands()) > 1:
                # Pillow rounds their largest values up to 256, which it stores as 0
                raise _RefusedError(f"has {header.bits} bits a channel; convert it to 8-bit PNG")
            return Picture(_turned(image, header, turn), header)


def _turned(image: Image.Image, header: Header, turn: bool) -> Image.Image:
    """The loaded picture as EXIF says, or as it is stored; a TIFF is loaded as EXIF says."""
    if turn:
        return ImageOps.exif_transpose(image) if header.orientation != 1 else image
    back = _BACK.get(header.orientation) if header.format == "TIFF" else None
    return image if back is None else image.transpose(back)


def size_in_header(data: bytes, path: Path, *, turn: bool = True) -> tuple[int, int]:
    """Height and width of the picture that `open_picture` would decode, without decoding it."""
    with _errors_named(path):
        image: Image.Image = Image.open(BytesIO(data), formats=FORMATS)
        _choose_page(image, data)
        is_turned = image.format == "TIFF"  # where Pillow's size is that of the turned picture
        lies = _orientation(image) > 4 and turn != is_turned
        return (image.width, image.height) if lies else (image.height, image.width)


def converted(image: Image.Image, mode: str, path: Path) -> Image.Image:
    """The picture in another mode of Pillow's; DataError where there is no way to it."""
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
            f"{path} is no image of a known format ({names}); get the file again, or convert it"
        ) from None
    except _RefusedError as error:
        raise DataError(f"{path} {error}") from None
    except MemoryError:
        raise DataError(f"{path} cannot be decoded: there is not enough memory for it") from None
    except Exception as error:  # damaged bytes bring anything out of Pillow's many readers
        reason = str(error) or type(error).__name__
        raise DataError(f"{path} cannot be decoded ({reason}); get the file again") from None


def _choose_page(image: Image.Image, data: bytes) -> int:
    """Seek the one picture of full size and return how many reduced copies are beside it."""
    if not getattr(image, "is_animated", False):
        return 0
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        return _choose_tiff_page(image)
    if image.format == "MPO":
        return _previews(data)
    count = getattr(image, "n_frames", 2)
    raise _RefusedError(f"holds {count} pictures (frames); save each as a file of its own")


def _choose_tiff_page(image: TiffImagePlugin.TiffImageFile) -> int:
    """Reduced copies and transparency masks, as pyramids have them, are no pictures of their own.

    The tags say which pages those are (TIFF 6.0, NewSubfileType; SubfileType of older files).
    """
    full = []
    page = 0
    while page < _MOST_PAGES:
        try:
            image.seek(page)
        except EOFError:
            break
        tags = image.tag_v2
        reduced = int(tags.get(_SUBFILE, 0)) & _REDUCED_OR_MASK
        if not reduced and tags.get(_OLD_SUBFILE) != 2:
            full.append(page)
        page += 1
    if len(full) != 1:
        count = f"{page} or more" if page == _MOST_PAGES else str(page)
        raise _RefusedError(f"holds {count} pages; save each picture as a file of its own")
    image.seek(full[0])
    return page - 1


def _previews(data: bytes) -> int:
    """Cameras put smaller copies beside a JPEG; one as large as the first is another picture."""
    with Image.open(BytesIO(data), formats=FORMATS) as image:
        first, count = image.size, getattr(image, "n_frames", 1)
        for number in range(1, min(count, _MOST_PAGES)):
            image.seek(number)
            if image.width * image.height >= first[0] * first[1]:
                raise _RefusedError(
                    f"holds {count} pictures (MPO); save each picture as a file of its own"
                )
    return count - 1


def _header(image: Image.Image, data: bytes, previews: int, orientation: int) -> Header:
    tags = image.tag_v2 if isinstance(image, TiffImagePlugin.TiffImageFile) else {}
    return Header(
        format=image.format or "",
        bits=_bits(image, data, tags.get(_BITS)),
        lossy=_lossy(image, data, tags.get(_COMPRESSION)),
        white_is_zero=tags.get(_PHOTOMETRIC) == 0,
        orientation=orientation,
        previews=previews,
    )


def _orientation(image: Image.Image) -> int:
    found = image.getexif().get(EXIF_ORIENTATION, 1)
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
    """Whether the picture's chunk of the RIFF file is VP8L and not VP8."""
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
    """Whether the codestream's COD marker names the 9-7 wavelet (ISO 15444-1, A.6.1)."""
    at = data.find(b"\xff\x52")
    return at >= 0 and at + 13 < len(data) and data[at + 13] == 0


def _memory_for(image: Image.Image, size: int) -> AbstractContextManager[object]:
    """Refuse what cannot be in the file or does not fit into memory; hold the lock if large.

    More pixels than any format packs (zstd: 33,000 a byte) are a header with a wrong bit; fax
    codes of 1-bit pictures have no such limit, but take a bit a row.
    """
    pixels = image.width * image.height
    if pixels <= _SURELY_FITS:
        return nullcontext()
    if image.height > 8 * size if image.mode == "1" else pixels > 40_000 * size:
        raise _RefusedError(
            f"cannot be decoded ({image.width}×{image.height} pixels cannot be in {size} bytes); "
            "get the file again"
        )
    return _large_picture(image)


@contextmanager
def _large_picture(image: Image.Image) -> Iterator[None]:
    with _large:
        needed, free = image.width * image.height * _BYTES_A_PIXEL, available_bytes()
        if needed > _SHARE_OF_FREE * free:
            raise _RefusedError(
                f"has {image.width}×{image.height} pixels, which take {needed / 1e9:.1f} GB to "
                f"decode; {free / 1e9:.1f} GB of memory are free"
            )
        yield
