"""What is fitted to a car's body: seats, and the thin parts that stick out."""

from __future__ import annotations

import numpy as np

from pipeline.demo.turntable.body import GLASS, INTERIOR
from pipeline.demo.turntable.quads import Material, Quads, bar, box, disc, join, quads
from pipeline.demo.turntable.sections import half_width, top_height
from pipeline.demo.turntable.styles import Car

_RUBBER = Material((0.06, 0.06, 0.065), 0.08)
_DARK = Material((0.03, 0.03, 0.03), 0.0)


def seats(car: Car) -> Quads:
    """Seats with head rests, the dashboard and the steering wheel, below the roof."""
    style = car.style
    low = style.clearance + 0.15
    top = style.height * (style.belt + 0.16)
    rows = [style.roof_front + 0.10]
    if style.roof_rear - style.roof_front > 0.2:
        rows.append(style.roof_front + 0.31)
    parts = [box(*_cabin_box(car, style.cowl + 0.03, low, style.belt * style.height), INTERIOR)]
    for row in rows:
        x = (0.5 - row) * style.length
        for y in (-0.36, 0.36):
            parts.append(box((x - 0.14, y - 0.23, low), (x + 0.06, y + 0.23, top - 0.1), INTERIOR))
            parts.append(box((x - 0.12, y - 0.11, top - 0.1), (x, y + 0.11, top + 0.05), INTERIOR))
    return join(parts)


def sticking_out(car: Car) -> list[tuple[Quads, bool]]:
    """Mirrors, plates, antenna, rack, spoiler and so on; True = on top of the car.

    What is on top is painted after the body from every side, the rest only from its own side.
    """
    parts = [(part, False) for part in (*_mirrors(car), _plate(car, 1), _plate(car, -1))]
    if car.antenna:
        parts.append((_antenna(car), True))
    if car.rack:
        parts += [(rail, True) for rail in _rack(car)]
    if car.spoiler:
        parts.append((_spoiler(car), False))
    if car.spare_wheel:
        parts.append((_spare_wheel(car), False))
    if car.style.name == "cabrio":
        parts.append((_windscreen_frame(car), True))
    return parts


def _cabin_box(
    car: Car, along: float, low: float, high: float
) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
    """Opposite corners of the dashboard."""
    x, y = (0.5 - along) * car.style.length, car.style.width * 0.4
    return (x - 0.3, -y, low), (x, y, high)


def _mirrors(car: Car) -> list[Quads]:
    style = car.style
    along = style.cowl + 0.45 * (style.roof_front - style.cowl)
    x, z = (0.5 - along) * style.length, style.belt * style.height
    y = style.width / 2
    left = join(
        [
            bar((x, y * 0.9, z - 0.02), (x, y + 0.08, z + 0.03), 0.04, _DARK),
            box((x - 0.05, y + 0.05, z), (x + 0.06, y + 0.21, z + 0.13), _metal(car)),
        ]
    )
    return [left, left.mirrored(1)]


def _plate(car: Car, end: int) -> Quads:
    """A number plate at the nose (end 1) or the tail (-1)."""
    x, z = end * car.style.length / 2, car.style.clearance + (0.18 if end > 0 else 0.42)
    low, high = sorted((x, x + end * 0.02))
    return box((low, -0.26, z), (high, 0.26, z + 0.11), Material((0.85, 0.85, 0.8), 0.1))


def _antenna(car: Car) -> Quads:
    along = max(car.style.roof_rear - 0.04, 0.4) if car.style.name != "cabrio" else 0.8
    x, z = (0.5 - along) * car.style.length, float(top_height(car.style, np.array(along)))
    tip = (x - 0.45 * car.antenna, 0.0, z + 0.8 * car.antenna)
    return bar((x, 0.0, z - 0.02), tip, 0.024, _DARK)


def _rack(car: Car) -> list[Quads]:
    """Two rails on feet along the roof, right one first, and two bars across."""
    style = car.style
    start, end = style.roof_front + 0.04, style.roof_rear - 0.04
    y, feet = style.width * 0.33, np.linspace(start, end, 3)
    heights = top_height(style, feet) - 0.02
    x, metal = (0.5 - feet) * style.length, Material((car.trim + 0.05,) * 3, 0.4)
    tops = [(float(a), y, float(b) + 0.10) for a, b in zip(x, heights, strict=True)]
    parts = [bar((a, y, b - 0.12), (a, y, b), 0.05, metal) for a, y, b in tops]
    parts += [bar(tops[i], tops[i + 1], 0.04, metal) for i in (0, 1)]
    rail = join(parts)
    crossing = [bar((a, -y, b + 0.01), (a, y, b + 0.01), 0.035, metal) for a, y, b in tops[::2]]
    return [rail.mirrored(1), join(crossing), rail]


def _spoiler(car: Car) -> Quads:
    """A wing on two posts over the tail."""
    style = car.style
    along = 0.965 if style.name != "hatch" else style.roof_rear + 0.02
    x, z = (0.5 - along) * style.length, float(top_height(style, np.array(along)))
    y = float(half_width(style, np.array(along))) * 0.78
    wing = box((x - 0.14, -y, z + 0.12), (x + 0.10, y, z + 0.155), _metal(car))
    posts = [
        bar((x, s * y * 0.7, z - 0.05), (x, s * y * 0.7, z + 0.13), 0.05, _DARK) for s in (-1, 1)
    ]
    return join([*posts, wing])


def _spare_wheel(car: Car) -> Quads:
    x, z, radius = -car.style.length / 2, car.style.height * 0.5, car.style.wheel * 0.9
    flat = disc((0.0, 0.0, z), radius, _RUBBER, 0.0)
    rim = disc((0.0, 0.01, z), radius * 0.5, _metal(car), 0.0)
    return join([part.turned(np.pi / 2, (x - 0.15, 0.0)) for part in (flat, rim)])


def _windscreen_frame(car: Car) -> Quads:
    """The windscreen of a car without a roof: a thin frame around a pane."""
    style = car.style
    low, high = style.hood * style.height, style.height
    foot, head = (0.5 - style.cowl) * style.length, (0.5 - style.roof_front) * style.length
    corners = np.array([[foot, 1, low], [head, 0.8, high], [head, -0.8, high], [foot, -1, low]])
    corners[:, 1] *= style.width * 0.43
    pane = quads(np.stack([corners[::-1], corners]), GLASS)
    edges = [bar(tuple(corners[i]), tuple(corners[i + 1]), 0.05, _metal(car)) for i in range(3)]
    return join([pane, *edges])


def _metal(car: Car) -> Material:
    return Material(car.paint, car.gloss)
