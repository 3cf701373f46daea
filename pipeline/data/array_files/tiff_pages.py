"""The pages of a TIFF: where their strips and tiles are, and what they are to each other.

tifffile knows how OME-TIFF, ImageJ, slide scanners and others say it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pipeline.data.array_files.layout import Layout, may_be_bands, named_layout
from pipeline.data.array_files.tiff_numbers import open_tiff
from pipeline.data.pages import RefusedError

if TYPE_CHECKING:
    import tifffile

_SLIDES = {"svs", "scn", "qpi", "ndpi", "bif", "avs", "philips", "sis"}
"""Kinds of file whose first image is the slide; the others are its label and an overview."""
_ORIENTATION, _NO_DATA = 274, 42113
_SLICES = {
    "Z": "",
    "T": "{} frames are read as slices",
    "I": "{} pages are read as slices",
    "Q": "{} pages are read as slices",
}


_PAGES = {"I", "Q"}


@dataclass(frozen=True)
class Page:
    """The places of one page's strips or tiles, in bytes."""

    offsets: tuple[int, ...]
    counts: tuple[int, ...]
    tables: bytes | None
    """Tables that all JPEG strips of the page share."""


@dataclass(frozen=True)
class Tiff:
    """The one image of a file: all that is needed to read it when the file is closed again."""

    key: tifffile.TiffPage
    """Any of its pages, which are alike; its tags can no longer be read."""
    decode: Callable[..., Any]
    """tifffile's function of a segment's bytes and its number."""
    jpeg_header: bytes | None
    palette: NDArray[np.uint16] | None
    """3 by colours."""
    no_data: str | None
    """GDAL's tag."""
    orientation: int
    """As EXIF counts."""
    dtype: np.dtype[Any]
    """As decoded, in native byte order."""
    within: str
    """The sides of one page: YX, or with S, the bands in it, YXS or SYX."""
    layout: Layout
    """Of the whole image, without sides of length one; pages are along the first of them."""
    pages: tuple[Page, ...]
    offset: int | None
    """Of all pixels as one array of `sides`, if they are so stored."""
    byte_order: str
    spacing: tuple[float, ...] | None
    notes: tuple[str, ...]

    @property
    def before(self) -> str:
        """The letters of the sides along which pages are."""
        return self.layout.stored[: -len(self.within)]

    @property
    def is_by_pages(self) -> bool:
        """True if Y and X are rows and columns of pages; the user may say that they are not."""
        return self.layout.stored.endswith(self.within.replace("S", "C"))

    @property
    def bands_first(self) -> bool:
        return self.key.planarconfig == 2 and self.key.samplesperpixel > 1


def tiff_of(path: Path, axes: str | None) -> Tiff:
    """The image of a file; kept for the next call, as slides have 10^5 tiles."""
    found = path.stat()
    return _parsed(path, axes, found.st_mtime_ns, found.st_size)


@lru_cache(maxsize=8)
def _parsed(path: Path, axes: str | None, changed: int, size: int) -> Tiff:
    with open_tiff(path) as file:
        main, notes = _main_series(file)
        if any(page is None for page in main) or main.is_multifile or main.transform is not None:
            raise RefusedError("refers to pages in other files; save the image as one file")
        return _tiff(file, main, axes, notes)


def _main_series(file: tifffile.TiffFile) -> tuple[tifffile.TiffPageSeries, list[str]]:
    every = [each for each in file.series if each.shape]
    full = [each for each in every if not (each.keyframe.is_mask or each.keyframe.is_reduced)]
    if len(full) > 1 and full[0].kind in _SLIDES:
        full = full[:1]
    if len(full) != 1:
        sizes = ", ".join("×".join(map(str, each.shape)) for each in full[:5])
        raise RefusedError(
            f"contains {len(full)} images ({sizes}{', …' if len(full) > 5 else ''}); save each "
            "as a file of its own"
            if full
            else "contains no image of full size"
        )
    return full[0], list(_left_out(full[0], every))


def _left_out(main: tifffile.TiffPageSeries, every: list[tifffile.TiffPageSeries]) -> Iterator[str]:
    if len(main.levels) > 1:
        named = all(each.keyframe.is_reduced or each.keyframe.is_subifd for each in main.levels[1:])
        doubt = "" if named or main.kind in _SLIDES else ", though no tag calls them copies"
        yield f"smaller copies left out{doubt}"
    others = [each for each in every if each is not main]
    if any(each.keyframe.is_mask for each in others):
        yield "transparency mask left out"
    if any(not each.keyframe.is_mask for each in others):
        yield "other images beside the slide left out (label, overview)"


def _tiff(
    file: tifffile.TiffFile, main: tifffile.TiffPageSeries, axes: str | None, notes: list[str]
) -> Tiff:
    key = main.keyframe
    letters, sides = _sides(main)
    within = letters[-3:] if "S" in letters else letters[-2:]
    layout, note = _named(letters, within, sides, axes)
    pages = tuple(_page(each) for each in main if each is not None)
    if main.dataoffset is None and len(pages) != prod(sides[: -len(within)]):
        raise RefusedError("is cut off: pages that its header names are missing; get it again")
    text = key.tags.valueof(_NO_DATA)
    return Tiff(
        key=key,
        decode=key.decode,
        jpeg_header=key.jpegheader,
        palette=None if key.colormap is None else np.asarray(key.colormap),
        no_data=None if text is None else str(text).strip().rstrip("\0"),
        orientation=int(key.tags.valueof(_ORIENTATION) or 1),
        dtype=np.dtype(main.dtype),
        within=within,
        layout=layout,
        pages=pages,
        offset=main.dataoffset,
        byte_order=file.byteorder,
        spacing=_spacing(file, key, "Z" in layout.axes),
        notes=(*([note] if note else []), *notes),
    )


def _sides(main: tifffile.TiffPageSeries) -> tuple[str, tuple[int, ...]]:
    """Letters and lengths of the sides, Y and X and those longer than one."""
    pairs = [
        (letter, side)
        for letter, side in zip(main.get_axes(False), main.get_shape(False), strict=True)
        if side != 1 or letter in "YX"
    ]
    letters = "".join(letter for letter, _ in pairs)
    key = main.keyframe
    bands = key.samplesperpixel > 1
    last = letters[-3:] if bands else letters[-2:]
    if key.imagedepth != 1 or last not in ("YX", "YXS", "SYX"):
        raise RefusedError(f"has pages with sides {letters}; save it as pages of rows and columns")
    return letters, tuple(side for _, side in pairs)


def _named(
    letters: str, within: str, sides: tuple[int, ...], axes: str | None
) -> tuple[Layout, str]:
    """The layout, as the user or the file names it, and a note about it."""
    if axes is not None:
        return named_layout(sides, axes), ""
    before = letters[: -len(within)]
    named = "".join(each if each == "C" else "Z" if each in _SLICES else "?" for each in before)
    named += within.replace("S", "C")
    sizes = "×".join(map(str, sides))
    if len(set(named)) != len(named) or "?" in named:
        raise RefusedError(
            f"has sides {letters} of {sizes}, of which more than slices, rows, columns and bands "
            "are longer than one; save each image as a file of its own"
        )
    if before in _PAGES and within == "YX" and may_be_bands(sides[2], sides[:2]):
        raise RefusedError(
            f"has {sides[0]} pages of {sides[1]}×{sides[2]}: slices, or an image of {sides[2]} "
            "bands that was saved so? Name its sides by axes: ZYX, or YXC"
        )
    notes = [_SLICES.get(each, "").format(side) for each, side in zip(before, sides, strict=False)]
    return Layout(named, sides), next((note for note in notes if note), "")


def _page(page: tifffile.TiffPage | tifffile.TiffFrame) -> Page:
    return Page(tuple(page.dataoffsets), tuple(page.databytecounts), page.jpegtables)


def _spacing(
    file: tifffile.TiffFile, key: tifffile.TiffPage, slices: bool
) -> tuple[float, ...] | None:
    """Of GeoTIFF in units of its map, of ImageJ in those that it names."""
    scale = key.tags.valueof(33550)  # ModelPixelScale: x, y, z
    if scale is not None and len(scale) >= 2:
        return None if slices else (float(scale[1]), float(scale[0]))
    about = file.imagej_metadata
    if not about or "unit" not in about:
        return None
    down, across = _step(key.tags.valueof(283)), _step(key.tags.valueof(282))
    return (float(about.get("spacing", 0)), down, across) if slices else (down, across)


def _step(resolution: tuple[int, int] | None) -> float:
    """Of pixels a unit, as a fraction."""
    return resolution[1] / resolution[0] if resolution and resolution[0] else 0.0
