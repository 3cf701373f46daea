"""The wheels of a car: tyres, rims, spokes, and the arches they stand in."""

from __future__ import annotations

import numpy as np

from pipeline.demo.turntable.quads import Material, Quads, disc, join, quads, sheet_corners
from pipeline.demo.turntable.sections import half_width
from pipeline.demo.turntable.styles import Car

_TYRE = Material((0.06, 0.06, 0.065), 0.08)
_DARK = Material((0.03, 0.03, 0.03), 0.0)
_AXLES = (0.185, 0.815)  # shares of the length


def treads(car: Car) -> Quads:
    """The running surfaces and inner sides of the four wheels."""
    angles = np.linspace(0, 2 * np.pi, 25)
    parts = []
    for x, y in _hubs(car):
        ring = car.style.wheel * np.stack([np.cos(angles), np.sin(angles)], axis=1)
        points = np.zeros((25, 2, 3))
        points[..., 0] = x + ring[:, :1]
        points[..., 1] = [y, y - 0.24]
        points[..., 2] = car.style.wheel + ring[:, 1:]
        wheel = quads(sheet_corners(points), _TYRE)
        inside = disc((x, -(y - 0.24), car.style.wheel), car.style.wheel, _DARK, 0.0).mirrored(1)
        parts += [wheel, inside]
    left = join(parts)
    return join([left, left.mirrored(1)])


def wheel_faces(car: Car) -> Quads:
    """Arches, tyres, rims and spokes of both sides, to be painted in this order."""
    parts = []
    for x, y in _hubs(car):
        radius = car.style.wheel
        parts.append(disc((x, y + 0.004, radius), radius * 1.16, _DARK, car.style.clearance + 0.03))
        parts.append(disc((x, y + 0.006, radius), radius, _TYRE, 0.0))
        parts.append(disc((x, y + 0.008, radius), radius * 0.70, Material(car.rim, 0.4), 0.0))
        parts.append(disc((x, y + 0.009, radius), radius * 0.62, _DARK, 0.0))
        parts.append(_spokes(car, (x, y + 0.010, radius)))
        parts.append(disc((x, y + 0.012, radius), radius * 0.16, Material(car.rim, 0.4), 0.0))
    left = join(parts)
    return join([left, left.mirrored(1)])


def _hubs(car: Car) -> list[tuple[float, float]]:
    """x and y of the outer faces of the left wheels."""
    widths = half_width(car.style, np.array(_AXLES)).tolist()
    return [((0.5 - a) * car.style.length, w) for a, w in zip(_AXLES, widths, strict=True)]


def _spokes(car: Car, hub: tuple[float, float, float]) -> Quads:
    """Spokes from the hub to the rim, flat, looking to +y."""
    angles = np.arange(car.spokes) * 2 * np.pi / car.spokes + 0.3
    inner, outer = 0.1 * car.style.wheel, 0.66 * car.style.wheel
    wide = min(0.30, 1.6 / car.spokes) * car.style.wheel / 2
    corners = []
    for cosine, sine in zip(np.cos(angles), np.sin(angles), strict=True):
        ends = [(inner, -wide), (outer, -wide * 0.8), (outer, wide * 0.8), (inner, wide)]
        flat = [(r * cosine - a * sine, r * sine + a * cosine) for r, a in ends]
        corners.append([(hub[0] - u, hub[1], hub[2] + v) for u, v in flat])
    return quads(np.array(corners), Material(car.rim, 0.4))
