"""What a screen shows: a made-up interface, cut into cards."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.demo.screens.widgets import (
    Area,
    Canvas,
    Theme,
    buttons,
    chart,
    item_list,
    landscape,
    picture,
    rectangle,
    shifted,
    text,
    words,
)

_FINER = 2
_SMALLEST = 50  # side of a card that is not cut any further, in pixels of the finer grid


def draw_interface(size: tuple[int, int], rng: np.random.Generator) -> NDArray[np.uint8]:
    """One screen, uint8 HxWx3 RGB, drawn on a finer grid and averaged."""
    height, width = size[0] * _FINER, size[1] * _FINER
    theme = _draw_theme(rng)
    canvas = _gradient((height, width), theme.page, shifted(theme.page, rng, 30))
    if rng.random() < 0.3:
        canvas[:] = landscape((height, width), rng)
    bar = max(14, height // 14)
    _title_bar(canvas, Area(0, 0, width, bar), theme, rng)
    for area in _split(Area(0, bar, width, height - bar), 3, rng):
        _card(canvas, area, theme, rng)
    return np.asarray(cv2.resize(canvas, size[::-1], interpolation=cv2.INTER_AREA))


def _draw_theme(rng: np.random.Generator) -> Theme:
    dark = rng.random() < 0.45
    page = rng.integers(15, 60, 3) if dark else rng.integers(195, 250, 3)
    card = page + (rng.integers(8, 30) if dark else rng.integers(-25, 6))
    ink = rng.integers(190, 240, 3) if dark else rng.integers(10, 70, 3)
    accent = rng.permutation([rng.integers(20, 90), rng.integers(80, 180), rng.integers(170, 240)])
    return Theme(*(tuple(np.clip(c, 0, 255).tolist()) for c in (page, card, ink, accent)))


def _gradient(size: tuple[int, int], top: tuple[int, ...], bottom: tuple[int, ...]) -> Canvas:
    share = np.linspace(0, 1, size[0])[:, None, None]
    rows = np.array(top) * (1 - share) + np.array(bottom) * share
    return np.asarray(np.repeat(np.rint(rows), size[1], axis=1), np.uint8)


def _split(area: Area, depth: int, rng: np.random.Generator) -> list[Area]:
    """Cut a rectangle at random into cards of which none is very thin."""
    if depth == 0 or min(area.width, area.height) < _SMALLEST or rng.random() < 0.12:
        return [area]
    share = rng.uniform(0.35, 0.65)
    if area.width > area.height * rng.uniform(0.8, 1.4):
        cut = int(area.width * share)
        first = Area(area.left, area.top, cut, area.height)
        second = Area(area.left + cut, area.top, area.width - cut, area.height)
    else:
        cut = int(area.height * share)
        first = Area(area.left, area.top, area.width, cut)
        second = Area(area.left, area.top + cut, area.width, area.height - cut)
    return _split(first, depth - 1, rng) + _split(second, depth - 1, rng)


def _card(canvas: Canvas, area: Area, theme: Theme, rng: np.random.Generator) -> None:
    """One card: its ground, then its content inside a margin."""
    margin = max(2, min(area.width, area.height) // 16)
    inner = Area(
        area.left + margin, area.top + margin, area.width - 2 * margin, area.height - 2 * margin
    )
    if rng.random() < 0.7:
        rectangle(canvas, inner, shifted(theme.card, rng, 6))
    contents: list[Callable[..., None]] = [text, text, picture, item_list, chart, buttons]
    padded = Area(
        inner.left + margin, inner.top + margin, inner.width - 2 * margin, inner.height - 2 * margin
    )
    contents[rng.integers(len(contents))](canvas, padded, theme, rng)


def _title_bar(canvas: Canvas, area: Area, theme: Theme, rng: np.random.Generator) -> None:
    rectangle(canvas, area, theme.accent)
    words(canvas, (area.left + area.height // 3, area.height * 3 // 4), area.width // 2, theme, rng)
    for number in range(3):
        centre = (area.width - int((number + 0.8) * area.height), area.height // 2)
        cv2.circle(canvas, centre, area.height // 4, shifted(theme.page, rng, 60), -1, cv2.LINE_AA)
