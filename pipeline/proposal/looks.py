"""Looks into a few files of a family: photographs, or masks and their values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.data.containers import size_in_header
from pipeline.data.images import decode_image, opened, read_bytes
from pipeline.data.masks.pixels import MaskPixels, decode_pixels
from pipeline.data.masks.soft import distinct, is_soft
from pipeline.errors import DataError
from pipeline.size import Size

MOST_PIXELS = 2**28
"""Of all files of one look together."""
FEW = 64
"""Values or colours of a drawing."""
FLAT = 0.9
"""Share of pixels of a drawing that are like the one beside them."""
_ENDS = 0.95  # share of pixels of a blurred mask that are nearly black or white


@dataclass
class Look:
    """What a few files of a family hold."""

    files: int = 0
    photos: int = 0
    drawings: int = 0
    """Files with few values, or large areas of one: masks."""
    coloured: int = 0
    """Drawings in several colours, which are not values."""
    soft: int = 0
    """Masks of one class with blurred borders, or lossy."""
    palettes: int = 0
    pixels: dict[int, int] = field(default_factory=dict)
    """Value → pixels with it, of all masks together."""
    values: list[tuple[int, ...]] = field(default_factory=list)
    """The values of each mask."""
    pieces: int = 0
    """Connected areas of values above 0, of all masks together."""
    sizes: list[Size] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    @property
    def is_mask(self) -> bool:
        return self.drawings > self.photos


class Reader:
    """Reads files below a folder, by their paths there, and counts them."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.read: set[str] = set()

    def look(self, paths: Sequence[str]) -> Look:
        """A look at files below the root, as far as they are not too large together."""
        look, left = Look(), MOST_PIXELS
        for name in paths:
            self.read.add(name)
            look.files += 1
            try:
                left = self.look_into(look, name, left)
            except DataError as error:
                look.problems.append(str(error))
        return look

    def look_into(self, look: Look, name: str, left: int) -> int:
        """Add a file to the look, its pixels if it has at most `left`; the number left after it."""
        path = self.root / name
        with opened(path) as stream:
            size = size_in_header(stream, path)
        left -= size[0] * size[1]
        look.sizes.append(size)
        if left >= 0:
            _add(look, read_bytes(path), path)
        return left


def _add(look: Look, data: bytes, path: Path) -> None:
    try:
        pixels = decode_pixels(data, path)
    except DataError:
        _add_colours(look, decode_image(data, path).rgb)
        return
    found = distinct(pixels.stored)
    if _is_soft(pixels, found):
        look.soft += 1
        look.drawings += 1
    elif len(found) > FEW and flat_share(pixels.stored) < FLAT:
        look.photos += 1
    else:
        _add_values(look, pixels, found)


def _add_colours(look: Look, rgb: NDArray[np.uint8]) -> None:
    packed = rgb.astype(np.int32) @ np.array([1 << 16, 1 << 8, 1], np.int32)
    if len(np.unique(packed)) <= FEW:
        look.coloured += 1
        look.drawings += 1
    else:
        look.photos += 1


def _add_values(look: Look, pixels: MaskPixels, found: NDArray[np.int64]) -> None:
    look.drawings += 1
    look.palettes += pixels.palette is not None
    look.values.append(tuple(found.tolist()))
    for value in found.tolist():
        inside = pixels.stored == value
        look.pixels[value] = look.pixels.get(value, 0) + int(inside.sum())
        if value and len(found) <= FEW:
            look.pieces += cv2.connectedComponents(inside.astype(np.uint8), connectivity=8)[0] - 1


def _is_soft(pixels: MaskPixels, found: NDArray[np.int64]) -> bool:
    values = pixels.shown
    if len(found) < 3 or values.dtype != np.uint8:
        return False
    ends = ((values < 32) | (values > 223)).mean()
    blurred = bool(pixels.header.lossy) or (values.max() > 127 and is_soft(pixels.shown))
    return bool(blurred and ends > _ENDS)


def flat_share(values: NDArray[Any]) -> float:
    """The share of pixels that are like the one to their left. values: HW."""
    same = values[:, 1:] == values[:, :-1]
    return float(same.mean()) if same.size else 1.0
