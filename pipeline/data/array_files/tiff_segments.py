"""Decodes those strips and tiles of a TIFF that some of its rows need."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from pipeline.data.array_files.tiff_pages import Page, Tiff
from pipeline.data.array_files.whole_arrays import whole_array
from pipeline.data.decoding_memory import memory_for_bytes

_JPEG = {6, 7, 34892, 33007}
"""Compressions whose decoder takes tables that are stored once a page."""


def read_page(path: Path, tiff: Tiff, number: int, start: int, stop: int) -> NDArray[Any]:
    """Rows of one page as YX or YXC."""
    height = tiff.key.imagelength
    if _segment(tiff)[0] < height or (start, stop) == (0, height):
        return _read(path, tiff, number, start, stop)
    # some rows of a page in one piece: the others will be asked for, too
    needed = tiff.dtype.itemsize * prod(tiff.key.shaped)
    part = f"page {number}"
    return whole_array(path, part, needed, lambda: _read(path, tiff, number, 0, height))[start:stop]


def _read(path: Path, tiff: Tiff, number: int, start: int, stop: int) -> NDArray[Any]:
    key, page = tiff.key, tiff.pages[number]
    separate, _, _, width, samples = key.shaped
    found = np.empty((separate, stop - start, width, samples), tiff.dtype)
    with path.open("rb") as stream, memory_for_bytes(_segment_bytes(tiff)):
        for each in _numbers(tiff, start, stop):
            _put(found, start, *_decoded(stream, tiff, page, each))
    if "S" not in tiff.within:
        return found[0, :, :, 0]
    return np.moveaxis(found[..., 0], 0, 2) if tiff.bands_first else found[0]


def _segment(tiff: Tiff) -> tuple[int, int]:
    """H, W of a strip or tile."""
    key = tiff.key
    if key.is_tiled:
        return key.tilelength, key.tilewidth
    return max(1, min(key.rowsperstrip, key.imagelength)), key.imagewidth


def _segment_bytes(tiff: Tiff) -> int:
    height, width = _segment(tiff)
    return height * width * tiff.key.shaped[4] * tiff.dtype.itemsize


def _numbers(tiff: Tiff, start: int, stop: int) -> Iterator[int]:
    """Of the segments that have pixels of the rows start..stop: a band, a row, a column."""
    height, width = _segment(tiff)
    separate, _, whole_height, whole_width, _ = tiff.key.shaped
    down, across = -(-whole_height // height), -(-whole_width // width)
    for band in range(separate):
        first = (band * down + start // height) * across
        yield from range(first, (band * down + -(-stop // height)) * across)


def _decoded(
    stream: BinaryIO, tiff: Tiff, page: Page, number: int
) -> tuple[NDArray[Any], tuple[int, ...]]:
    """A segment, DHWS, and its place in the page: band, depth, row, column, sample."""
    if number >= min(len(page.offsets), len(page.counts)):
        raise ValueError(f"strip or tile {number} is missing")
    offset, count = page.offsets[number], page.counts[number]
    data: bytes | None = None
    if count:
        stream.seek(offset)
        data = stream.read(count)
        if len(data) != count:
            raise ValueError(f"it ends within strip or tile {number}")
    tables: dict[str, Any] = {}
    if tiff.key.compression in _JPEG:
        tables = {"jpegtables": page.tables, "jpegheader": tiff.jpeg_header}
    pixels, place, shape = tiff.decode(data, number, **tables)
    if pixels is None:  # never written: GDAL's sparse files
        pixels = np.full(shape, tiff.key.nodata, tiff.dtype)
    return pixels, place


def _put(found: NDArray[Any], start: int, pixels: NDArray[Any], place: tuple[int, ...]) -> None:
    """Copy what of a segment is in the rows of `found`, which begin at `start`."""
    band, _, top, left, _ = place
    top -= start
    part = pixels[0, max(0, -top) : found.shape[1] - top]
    there = found[band, max(0, top) : max(0, top) + len(part), left : left + part.shape[1]]
    there[:] = part[:, : there.shape[1]]  # tiles go on beyond the image
