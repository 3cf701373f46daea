"""TIFF of every kind: pages, bands, 1 to 64 bits, floats, strips, tiles, all compressions."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pipeline.data.array_files.array_file import ArrayFile, Pixels
from pipeline.data.array_files.description import described
from pipeline.data.array_files.numbers import type_read
from pipeline.data.array_files.tiff_colours import (
    check_colours,
    colour_notes,
    inverted_at,
    is_palette,
    painted,
)
from pipeline.data.array_files.tiff_pages import Tiff, tiff_of
from pipeline.data.array_files.tiff_segments import read_page
from pipeline.data.array_files.turned import TURNS, TurnedPixels
from pipeline.data.array_files.whole_arrays import whole_array
from pipeline.data.pages import RefusedError

if TYPE_CHECKING:
    import tifffile

STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


@dataclass(frozen=True)
class TiffPixels:
    """The pixels of the image of a TIFF. axes: as the user names the sides of its pages."""

    path: Path
    axes: str | None

    def read(self, start: int, stop: int, plane: int) -> NDArray[Any]:
        tiff = tiff_of(self.path, self.axes)
        if tiff.offset is not None:
            return painted(tiff, _plain(self.path, tiff, start, stop, plane))
        if not tiff.is_by_pages:
            return painted(tiff, self._through_all_pages(tiff, start, stop, plane))
        pages = _pages_of_plane(tiff, plane)
        bands = [read_page(self.path, tiff, number, start, stop) for number in pages]
        return painted(tiff, np.stack(bands, axis=2) if "C" in tiff.before else bands[0])

    def _through_all_pages(self, tiff: Tiff, start: int, stop: int, plane: int) -> NDArray[Any]:
        def every() -> NDArray[Any]:
            height = tiff.key.imagelength
            pages = [read_page(self.path, tiff, n, 0, height) for n in range(len(tiff.pages))]
            return np.stack(pages).reshape(tiff.layout.sides)

        needed = tiff.dtype.itemsize * prod(tiff.layout.sides)
        stored = whole_array(self.path, self.axes or "", needed, every)
        return tiff.layout.arranged(stored[tiff.layout.cut(start, stop, plane)])


def describe(path: Path, axes: str | None, turn: bool) -> ArrayFile:
    """The image of a TIFF. axes: a letter for each of its sides that is longer than one: first
    those along which pages are, then a page's own.
    """
    tiff = tiff_of(path, axes)
    layout = tiff.layout
    if 0 in layout.sides:
        raise RefusedError(f"holds no pixels: its array is {'×'.join(map(str, layout.sides))}")
    type_read(tiff.dtype)
    check_colours(tiff)
    found, shape = layout.axes, layout.shape
    if is_palette(tiff.key):
        if "C" in found:
            raise RefusedError("has several bands with palettes; save them as numbers")
        found, shape = f"{found}C", (*shape, 3)
    pixels: Pixels = TiffPixels(path, axes)
    notes = [*tiff.notes, *colour_notes(tiff.key, tiff.dtype)]
    spacing, orientation = tiff.spacing, tiff.orientation
    if orientation in TURNS:
        how = "as viewers show it" if turn else "as its pixels are stored"
        notes.append(f"turned by EXIF: read {how}")
        if turn:
            height, width = shape[found.index("Y")], shape[found.index("X")]
            pixels = TurnedPixels(pixels, orientation, height, width)
            if TURNS[orientation][0]:
                at = found.index("Y")
                shape = (*shape[:at], width, height, *shape[at + 2 :])
                spacing = (*spacing[:-2], spacing[-1], spacing[-2]) if spacing else None
    return described(
        path,
        pixels,
        axes=found,
        shape=shape,
        stored=np.dtype(np.uint8) if is_palette(tiff.key) else tiff.dtype,
        no_data=_no_data(tiff, notes),
        spacing=spacing,
        notes=tuple(notes),
    )


def _plain(path: Path, tiff: Tiff, start: int, stop: int, plane: int) -> NDArray[Any]:
    """Rows of an image that is stored as one array."""
    layout = tiff.layout
    dtype = np.dtype(tiff.byte_order + tiff.dtype.char)
    assert tiff.offset is not None
    stored = np.memmap(path, dtype, mode="r", offset=tiff.offset, shape=layout.sides)
    part = np.array(stored[layout.cut(start, stop, plane)], tiff.dtype)
    return layout.arranged(part)


def _pages_of_plane(tiff: Tiff, plane: int) -> list[int]:
    """The numbers of the pages that are the bands of a plane, or of its only page."""
    sides = tiff.layout.sides[: len(tiff.before)]
    numbers = np.arange(prod(sides)).reshape(sides)
    cut = tuple(plane if letter == "Z" else slice(None) for letter in tiff.before)
    return [int(each) for each in np.ravel(numbers[cut])]


def _no_data(tiff: Tiff, notes: list[str]) -> float | None:
    """GDAL's tag, as the pixels are read."""
    if tiff.no_data is None:
        return None
    try:
        value = float(tiff.no_data)
    except ValueError:
        notes.append(f"no-data value {tiff.no_data!r} is no number: left out")
        return None
    if is_palette(tiff.key):
        notes.append(f"no-data value {value:g} left out: it is a colour of the palette")
        return None
    most = inverted_at(tiff.key, tiff.dtype)
    return value if most is None else most - value


def is_eight_bit_rgb(path: Path) -> bool:
    """True if nothing is lost where a file is read as 8-bit RGB; the header is read."""
    import tifffile

    try:
        with tifffile.TiffFile(path, _multifile=False) as file:
            every = [page for page in file.pages if isinstance(page, tifffile.TiffPage)]
            full = [page for page in every if not (page.is_mask or page.is_reduced)]
            return len(full) == 1 and _is_simple(full[0])
    except Exception:  # whatever is wrong with it, reading it says it
        return True


def _is_simple(page: tifffile.TiffPage) -> bool:
    bits, alpha = page.bitspersample, [kind for kind in page.extrasamples if kind in (1, 2)]
    colours = page.samplesperpixel - len(alpha)
    return (
        isinstance(bits, int) and bits <= 8
        and page.sampleformat in (None, 1)
        and len(alpha) <= 1
        and len(alpha) == len(page.extrasamples)
        and (colours in (1, 3) or page.photometric == 5)
    )  # fmt: skip
