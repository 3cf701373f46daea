"""TIFF of every kind: pages, bands, 1 to 64 bits, floats, strips, tiles, all compressions."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray

from pipeline.data.array_files.array_file import ArrayFile, Pixels
from pipeline.data.array_files.description import described
from pipeline.data.array_files.layout import Layout
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
from pipeline.data.pages import RefusedError

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
        before = tiff.letters[: -len(tiff.within)]
        if "C" not in before:
            return painted(tiff, read_page(self.path, tiff, plane, start, stop))
        bands = [
            read_page(self.path, tiff, number, start, stop)
            for number in _pages_of_plane(before, tiff.sides, plane)
        ]
        return painted(tiff, np.stack(bands, axis=2))


def describe(path: Path, axes: str | None, turn: bool) -> ArrayFile:
    """The image of a TIFF. axes: letters of its sides longer than one, as tifffile orders them."""
    tiff = tiff_of(path, axes)
    if 0 in tiff.sides:
        raise RefusedError(f"holds no pixels: its array is {'×'.join(map(str, tiff.sides))}")
    type_read(tiff.dtype)
    check_colours(tiff)
    layout = _layout(tiff)
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


def _layout(tiff: Tiff) -> Layout:
    return Layout(tiff.letters.replace("S", "C"), tiff.sides)


def _plain(path: Path, tiff: Tiff, start: int, stop: int, plane: int) -> NDArray[Any]:
    """Rows of an image that is stored as one array."""
    layout = _layout(tiff)
    dtype = np.dtype(tiff.byte_order + tiff.dtype.char)
    assert tiff.offset is not None
    stored = np.memmap(path, dtype, mode="r", offset=tiff.offset, shape=tiff.sides)
    part = np.array(stored[layout.cut(start, stop, plane)], tiff.dtype)
    return layout.arranged(part)


def _pages_of_plane(before: str, sides: tuple[int, ...], plane: int) -> list[int]:
    """The numbers of the pages that are the bands of a plane. before: Z and C, in their order."""
    numbers = np.arange(int(np.prod(sides[: len(before)]))).reshape(sides[: len(before)])
    return [int(each) for each in numbers[Layout(before, sides).cut(0, 0, plane)]]


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
