"""Rows of a TIFF, decoded as they are asked for: strips, tiles, or plain pixels at their place.

Only files of which it is certain that decoding them whole (`data.images`) gives the same pixels:
8 bits, RGB or gray, upright, without loss. All others are left to that.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pipeline.data.pages import choose_page
from pipeline.data.picture_header import orientation_of
from pipeline.errors import DataError

if TYPE_CHECKING:
    import tifffile

_STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_CHANNELS = 3
_PLAIN = 1
_PACKBITS = 32773
_PREDICTED = {5, 8, 32946, 50000}
"""LZW, deflate, deflate under its old number, zstd: they may store differences of neighbours."""
_UNPREDICTED, _HORIZONTAL = 1, 2
_PHOTOMETRIC = {"L": 1, "RGB": 2}
_MOST_TOGETHER = 256 * 2**20  # bytes of a row of segments


@dataclass(frozen=True)
class TiffRows:
    """A TIFF as `PixelRows`: HWC uint8 RGB, gray repeated."""

    path: Path
    shape: tuple[int, int, int]
    samples: int
    segment: tuple[int, int]
    """H, W of a strip or a tile; of plain pixels in one piece, those of the image."""
    places: tuple[tuple[int, int], ...]
    """Offset and bytes of each segment, row by row."""
    copies: int
    """Smaller copies of the image that are in the same file."""
    decode: Callable[..., Any] | None
    """tifffile's function of a segment's bytes and number; None for plain pixels in one piece."""

    @property
    def dtype(self) -> np.dtype[Any]:
        return np.dtype(np.uint8)

    def __getitem__(self, rows: slice) -> NDArray[np.uint8]:
        start, stop, _ = rows.indices(self.shape[0])
        found = np.empty((max(0, stop - start), self.shape[1], self.samples), np.uint8)
        try:
            with self.path.open("rb") as stream:
                (self._read_plain if self.decode is None else self._decode)(stream, start, found)
        except OSError as error:
            raise DataError(f"{self.path} cannot be read: {error.strerror or error}") from None
        except MemoryError:
            raise
        except Exception as error:  # damaged bytes bring anything out of the decoders
            reason = str(error) or type(error).__name__
            raise DataError(
                f"{self.path} cannot be decoded ({reason}); get the file again"
            ) from None
        return found if self.samples == _CHANNELS else np.repeat(found, _CHANNELS, axis=2)

    def _read_plain(self, stream: BinaryIO, start: int, found: NDArray[np.uint8]) -> None:
        stream.seek(self.places[0][0] + start * self.shape[1] * self.samples)
        if stream.readinto(found.data) != found.nbytes:  # type: ignore[attr-defined]
            raise ValueError("it ends too early")

    def _decode(self, stream: BinaryIO, start: int, found: NDArray[np.uint8]) -> None:
        height, width = self.segment
        across = -(-self.shape[1] // width)
        for row in range(start // height, -(-(start + len(found)) // height)):
            top = row * height - start
            for column in range(across):
                pixels = self._segment(stream, row * across + column)
                part = pixels[max(0, -top) : len(found) - top]
                place = slice(max(0, top), max(0, top) + len(part))
                there = found[place, column * width : (column + 1) * width]
                there[:] = part[:, : there.shape[1]]  # tiles go on beyond the image

    def _segment(self, stream: BinaryIO, number: int) -> NDArray[np.uint8]:
        offset, size = self.places[number]
        stream.seek(offset)
        assert self.decode is not None
        pixels, _, _ = self.decode(stream.read(size), number)
        decoded: NDArray[np.uint8] = pixels[0]
        return decoded


def tiff_rows(path: Path) -> TiffRows | None:
    """The rows of a file; None where it is to be decoded whole, whatever it is."""
    try:
        if not _is_tiff(path):
            return None
        with Image.open(path, formats=("TIFF",)) as image:
            copies = choose_page(image, b"")
            mode, number, upright = image.mode, image.tell(), orientation_of(image) == 1
        if mode not in _PHOTOMETRIC or not upright:
            return None
        return _rows_of_page(path, number, mode, copies)
    except MemoryError:
        raise
    except Exception:  # whatever is wrong with it, decoding it whole says it
        return None


def _is_tiff(path: Path) -> bool:
    with path.open("rb") as stream:
        return stream.read(4) in _STARTS


def _rows_of_page(path: Path, number: int, mode: str, copies: int) -> TiffRows | None:
    import tifffile

    with tifffile.TiffFile(path) as file:
        page = file.pages[number]
        assert isinstance(page, tifffile.TiffPage)
        if not _is_certain(page, mode):
            return None
        places = tuple(zip(page.dataoffsets, page.databytecounts, strict=True))
        end = path.stat().st_size
        if not places or any(size <= 0 or offset + size > end for offset, size in places):
            return None
        height, width, samples = page.imagelength, page.imagewidth, page.samplesperpixel
        segment = (page.tilelength, page.tilewidth) if page.is_tiled else (page.rowsperstrip, width)
        shape = (height, width, _CHANNELS)
        if page.compression == _PLAIN and page.is_contiguous:
            if sum(size for _, size in places) != height * width * samples:
                return None
            return TiffRows(path, shape, samples, (height, width), places[:1], copies, None)
        segment = min(segment[0], height) if not page.is_tiled else segment[0], segment[1]
        down, across = -(-height // segment[0]), -(-width // segment[1])
        if len(places) != down * across or segment[0] * width * samples > _MOST_TOGETHER:
            return None
        return TiffRows(path, shape, samples, segment, places, copies, page.decode)


def _is_certain(page: tifffile.TiffPage, mode: str) -> bool:
    """True if its pixels mean the same to everybody."""
    return (
        page.bitspersample == 8
        and page.sampleformat == 1
        and page.photometric == _PHOTOMETRIC[mode]
        and page.samplesperpixel == (_CHANNELS if mode == "RGB" else 1)
        and not page.extrasamples
        and page.planarconfig == 1
        and page.fillorder == 1
        and page.imagedepth == 1
        and page.compression in {_PLAIN, _PACKBITS, *_PREDICTED}
        and (
            page.predictor == _UNPREDICTED
            or (page.predictor == _HORIZONTAL and page.compression in _PREDICTED)
        )
    )
