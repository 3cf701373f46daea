"""The pieces of a made-up interface: text, pictures, lists, charts and buttons."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Canvas = NDArray[np.uint8]
_LETTERS = np.array(list("aabcdeefghiijklmnoopqrsttuvwxyzABCDEFGKMPRST0123456789"))


@dataclass(frozen=True)
class Area:
    """A rectangle of the canvas, in its pixels."""

    left: int
    top: int
    width: int
    height: int


@dataclass(frozen=True)
class Theme:
    """Colours in 0..255, RGB."""

    page: tuple[int, ...]
    card: tuple[int, ...]
    ink: tuple[int, ...]
    accent: tuple[int, ...]


def shifted(colour: tuple[int, ...], rng: np.random.Generator, most: int) -> tuple[int, ...]:
    return tuple(np.clip(np.array(colour) + rng.integers(-most, most + 1, 3), 0, 255).tolist())


def landscape(size: tuple[int, int], rng: np.random.Generator) -> Canvas:
    """Something like a photograph: rough clouds of colour, fine grain on coarse shapes."""
    picture = np.tile(rng.uniform(60, 190, 3), (*size, 1))
    for cells in (2, 5, 11, 23, 47):
        grid = rng.normal(0, 1, (cells, cells, 3)) + rng.normal(0, 1, (cells, cells, 1))
        clouds = cv2.resize(grid, size[::-1], interpolation=cv2.INTER_CUBIC)
        picture = picture + np.asarray(clouds, np.float64) * 28 / cells**0.5
    return np.asarray(np.clip(picture, 0, 255), np.uint8)


def text(canvas: Canvas, area: Area, theme: Theme, rng: np.random.Generator) -> None:
    """Lines of words down to the end of the area."""
    step = int(rng.integers(13, 22))
    for line in range(step, area.height, step):
        width = int(area.width * rng.uniform(0.5, 1.0))
        words(canvas, (area.left, area.top + line), width, theme, rng)


def picture(canvas: Canvas, area: Area, _: Theme, rng: np.random.Generator) -> None:
    """Something like a photograph, filling the area."""
    rows = slice(area.top, area.top + area.height)
    columns = slice(area.left, area.left + area.width)
    canvas[rows, columns] = landscape((area.height, area.width), rng)


def item_list(canvas: Canvas, area: Area, theme: Theme, rng: np.random.Generator) -> None:
    """Icons one under the other, each with a line of words."""
    step = int(rng.integers(26, 40))
    for line in range(step // 2, area.height - step // 4, step):
        centre = (area.left + step // 3, area.top + line)
        _icon(canvas, centre, step // 3, shifted(theme.accent, rng, 80), rng)
        start = (area.left + step, area.top + line + 5)
        words(canvas, start, area.width - step, theme, rng)


def chart(canvas: Canvas, area: Area, theme: Theme, rng: np.random.Generator) -> None:
    """Columns and a line over them."""
    count = int(rng.integers(5, 14))
    heights = np.clip(np.cumsum(rng.normal(0, 0.25, count)) + 0.5, 0.05, 1.0)
    across = area.left + np.arange(count) * area.width // count
    for x, height in zip(across.tolist(), heights.tolist(), strict=True):
        tall = int(height * area.height)
        column = Area(x, area.top + area.height - tall, max(2, area.width // count - 3), tall)
        rectangle(canvas, column, theme.accent)
    line = np.stack([across, area.top + area.height * (1 - heights[::-1])], axis=1)
    cv2.polylines(canvas, [line.astype(np.int32)], False, theme.ink, 2, cv2.LINE_AA)


def buttons(canvas: Canvas, area: Area, theme: Theme, rng: np.random.Generator) -> None:
    """Buttons one under the other, each with words on it."""
    high = int(rng.integers(18, 30))
    for top in range(area.top, area.top + area.height - high, high + 8):
        button = Area(area.left, top, int(area.width * rng.uniform(0.4, 0.95)), high)
        rectangle(canvas, button, shifted(theme.accent, rng, 50))
        words(canvas, (button.left + 6, top + high * 2 // 3), button.width - 12, theme, rng)


def _icon(
    canvas: Canvas, at: tuple[int, int], radius: int, ink: tuple[int, ...], rng: np.random.Generator
) -> None:
    """A disc or a polygon."""
    corners = int(rng.integers(2, 7))
    if corners == 2:
        cv2.circle(canvas, at, radius, ink, -1, cv2.LINE_AA)
        return
    angles = np.arange(corners) * 2 * np.pi / corners + rng.uniform(0, 6)
    points = np.stack([np.cos(angles), np.sin(angles)], axis=1) * radius + at
    cv2.fillConvexPoly(canvas, np.rint(points).astype(np.int32), ink, cv2.LINE_AA)


def words(
    canvas: Canvas, at: tuple[int, int], width: int, theme: Theme, rng: np.random.Generator
) -> None:
    """A line of words that mean nothing, as wide as `width` allows."""
    scale = float(rng.uniform(0.32, 0.5))
    letters = rng.choice(_LETTERS, max(0, int(width / (22 * scale))))
    letters[rng.random(len(letters)) < 0.16] = " "
    cv2.putText(
        canvas, "".join(letters), at, cv2.FONT_HERSHEY_SIMPLEX, scale, theme.ink, 1, cv2.LINE_AA
    )


def rectangle(canvas: Canvas, area: Area, colour: tuple[int, ...]) -> None:
    """Fill an area."""
    corner = (area.left + area.width - 1, area.top + area.height - 1)
    cv2.rectangle(canvas, (area.left, area.top), corner, colour, -1)
