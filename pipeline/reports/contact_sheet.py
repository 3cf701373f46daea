"""A picture of rows of small pictures, with the edges of masks in the colours of their classes."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from pipeline.config.colours import RGB

SIDE = 176
"""Pixels of the longer side of a cell."""
_GAP, _LINE, _TEXT = 4, 20, 13
_HATCH = 4
_PAPER, _INK, _VOID = (250, 250, 250), (30, 30, 30), (128, 128, 128)

Picture = NDArray[np.uint8]
"""HWC RGB."""


@dataclass(frozen=True)
class Cell:
    """An image with its truth.

    images: HWC uint8 RGB, side by side in the cell; planes: bool CHW; valid: bool HW.
    """

    images: tuple[Picture, ...]
    planes: NDArray[np.bool_]
    valid: NDArray[np.bool_]


@dataclass(frozen=True)
class Strip:
    """Rows of cells below a line of text."""

    title: str
    rows: Sequence[Sequence[Cell]]


def contact_sheet(strips: Sequence[Strip], colours: Mapping[str, RGB]) -> bytes:
    """A PNG of all strips, below the names of the classes; colours: by class, in their order.

    Void pixels are hatched. A class of black, the background, has no edges of its own.
    """
    painted = [
        (strip.title, [[_painted(cell, [*colours.values()]) for cell in row] for row in strip.rows])
        for strip in strips
    ]
    rows = [row for _, rows in painted for row in rows]
    columns = [max(each.shape[1] for each in column) + _GAP for column in zip(*rows, strict=True)]
    width = sum(columns)
    bands = _text(list(colours.items()), width)
    for title, cells in painted:
        bands += _text([(word, _INK) for word in title.split()], width)
        bands += [_row(row, columns) for row in cells]
    sheet = np.concatenate(bands)
    stream = io.BytesIO()
    Image.fromarray(sheet).save(stream, format="PNG", compress_level=2)
    return stream.getvalue()


def _painted(cell: Cell, colours: Sequence[RGB]) -> Picture:
    height, width = cell.valid.shape
    factor = SIDE / max(height, width)
    size = max(1, round(width * factor)), max(1, round(height * factor))
    valid = _smaller(cell.valid, size)
    hatched = ~valid & _stripes(valid.shape)
    parts = []
    for number, image in enumerate(cell.images):
        method = cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR
        resized = cv2.resize(image, size, interpolation=method)
        picture = np.ascontiguousarray(resized, np.uint8)
        picture[hatched] = _VOID
        if not number:
            for plane, colour in zip(cell.planes, colours, strict=True):
                if any(colour):
                    _outline(picture, _smaller(plane, size), colour)
        parts.append(picture)
    return np.concatenate(parts, axis=1)


def _smaller(mask: NDArray[np.bool_], size: tuple[int, int]) -> NDArray[np.bool_]:
    method = cv2.INTER_AREA if mask.shape[1] > size[0] else cv2.INTER_NEAREST
    levels = mask.astype(np.uint8) * np.uint8(255)
    return np.asarray(cv2.resize(levels, size, interpolation=method) > 127)


def _outline(picture: Picture, mask: NDArray[np.bool_], colour: RGB) -> None:
    edges, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(picture, edges, -1, colour, 1)


def _stripes(shape: tuple[int, ...]) -> NDArray[np.bool_]:
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    stripes: NDArray[np.bool_] = (rows + columns) // _HATCH % 2 == 0
    return stripes


def _row(cells: Sequence[Picture], columns: Sequence[int]) -> Picture:
    row = np.full((max(cell.shape[0] for cell in cells) + _GAP, sum(columns), 3), _PAPER, np.uint8)
    left = 0
    for cell, column in zip(cells, columns, strict=True):
        row[: cell.shape[0], left : left + cell.shape[1]] = cell
        left += column
    return row


def _text(words: Sequence[tuple[str, RGB]], width: int) -> list[Picture]:
    """Lines of words, each in its colour, as wide as a sheet."""
    lines: list[Image.Image] = []
    font, left = ImageFont.load_default(_TEXT), width
    for word, colour in words:
        length = int(font.getlength(word))
        if not lines or left + length > width:
            lines.append(Image.new("RGB", (width, _LINE), _PAPER))
            left = _GAP
        ImageDraw.Draw(lines[-1]).text((left, 2), word, fill=colour, font=font)
        left += length + _GAP
    return [np.asarray(line) for line in lines]
