"""Regions as annotation files describe them: polygons, ellipses, masks."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from pipeline.data.masks.annotations.drawing import Ring, Window, draw_ellipse, draw_rings
from pipeline.size import Size

_FARTHEST = 1e9
"""Pixels, far beyond any image and far below what rounds."""


class RegionError(Exception):
    """Why something is no region; the text follows the name of the annotation."""


class Region(Protocol):
    """A part of an image."""

    def draw(self, size: Size) -> Window:
        """Its pixels within an image of that H, W."""
        ...

    def beyond(self, size: Size) -> bool:
        """True if it lies outside an image of that H, W."""
        ...


@dataclass(frozen=True)
class Polygon:
    """What an odd number of rings surrounds: an outline, with holes or without."""

    rings: tuple[Ring, ...]

    def draw(self, size: Size) -> Window:
        return draw_rings(self.rings, size)

    def beyond(self, size: Size) -> bool:
        points = np.concatenate(self.rings)
        return _outside(points.min(axis=0).tolist(), points.max(axis=0).tolist(), size)


@dataclass(frozen=True)
class Ellipse:
    """An ellipse, or a circle."""

    centre: tuple[float, float]
    """x, y"""
    radii: tuple[float, float]
    angle: float = 0
    """Radians, from x towards y."""

    def draw(self, size: Size) -> Window:
        return draw_ellipse(self.centre, self.radii, self.angle, size)

    def beyond(self, size: Size) -> bool:
        reach = max(self.radii)
        low, high = ([each + way * reach for each in self.centre] for way in (-1, 1))
        return _outside(low, high, size)


@dataclass(frozen=True)
class Pixels:
    """Pixels that the file itself holds."""

    inside: NDArray[np.bool_]
    """HW"""
    top: int = 0
    left: int = 0

    def draw(self, size: Size) -> Window:
        up, aside = max(0, -self.top), max(0, -self.left)
        kept = self.inside[up : size[0] - self.top, aside : size[1] - self.left]
        if self.top >= size[0] or self.left >= size[1]:
            kept = kept[:0, :0]
        return Window(max(0, self.top), max(0, self.left), kept)

    def beyond(self, size: Size) -> bool:
        return bool(self.inside.any()) and not self.draw(size).inside.any()


def polygon(rings: Iterable[Any]) -> Polygon:
    """A polygon of lists of points; RegionError says what is wrong with one."""
    return Polygon(tuple(map(ring, rings)))


def rectangle(x: float, y: float, width: float, height: float) -> Polygon:
    """An upright rectangle from its upper left corner; sizes may be negative, as drawn."""
    corners = [[x, y], [x + width, y], [x + width, y + height], [x, y + height]]
    return Polygon((np.array(corners, np.float64),))


def ellipse(x: float, y: float, across: float, down: float, angle: float = 0) -> Ellipse:
    """An ellipse of these radii; RegionError where it has none."""
    if across <= 0 or down <= 0:
        raise RegionError(f"its radius is {min(across, down):g}; it must be above 0")
    return Ellipse((x, y), (across, down), angle)


def ring(points: Any) -> Ring:
    """N×2 of a list of points; RegionError says why it surrounds nothing."""
    if not isinstance(points, list | tuple):
        raise RegionError("its points are not a list")
    pairs = [point(each) for each in points]
    if len(set(pairs)) < 3:
        raise RegionError(f"has {len(set(pairs))} different point(s); a polygon needs 3 or more")
    return np.array(pairs, np.float64)


def ring_of_flat(numbers: Any) -> Ring:
    """N×2 of a list x, y, x, y, …"""
    if not isinstance(numbers, list):
        raise RegionError("its polygon is not a list of numbers")
    if len(numbers) % 2:
        raise RegionError(f"has an odd count of coordinates, {len(numbers)}")
    return ring(list(zip(numbers[::2], numbers[1::2], strict=True)))


def point(value: Any) -> tuple[float, float]:
    """x, y; RegionError for anything else."""
    if not isinstance(value, list | tuple) or len(value) < 2:
        raise RegionError(f"a point is {_shown(value)}, not x and y")
    return number(value[0]), number(value[1])


def numbers_of(block: dict[str, Any], names: Sequence[str]) -> Iterator[float]:
    """The numbers of those names in a block; RegionError for one that is missing."""
    for name in names:
        if name not in block:
            raise RegionError(f"has no {name!r}")
        yield number(block[name], name)


def number(value: Any, name: str = "a coordinate") -> float:
    """A finite number; RegionError if it is none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise RegionError(f"{name} is {_shown(value)}, which is no number")
    if isinstance(value, float) and not math.isfinite(value):
        raise RegionError(f"{name} is {value}")
    if abs(value) > _FARTHEST:
        raise RegionError(f"{name} is {_shown(value)}, which is no place in an image")
    return float(value)


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:40]}…"


def _outside(low: Sequence[float], high: Sequence[float], size: Size) -> bool:
    """low, high: x, y."""
    return high[0] <= 0 or high[1] <= 0 or low[0] >= size[1] or low[1] >= size[0]
