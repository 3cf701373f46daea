"""The body of a car: its outline skinned with quads of metal, glass, lamps and plastic."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pipeline.demo.turntable.quads import Material, Quads, join, quads, sheet_corners
from pipeline.demo.turntable.sections import (
    BELT,
    RINGS,
    SEAM,
    SHOULDER,
    WIDEST,
    Sections,
    pillars,
    sections,
    window_span,
)
from pipeline.demo.turntable.styles import Car, Style

GLASS = Material((0.05, 0.06, 0.07), glass=True)
INTERIOR = Material((0.09, 0.085, 0.08), 0.05)
_LAMP = Material((0.92, 0.93, 0.95), 0.7)
_TAIL_LAMP = Material((0.55, 0.04, 0.05), 0.6)


def body(car: Car) -> Quads:
    """The painted body with its panes, lamps and seams."""
    cut = sections(car.style)
    left = _skin(car, cut)
    return join([left, left.mirrored(1), _end(car, cut, 0), _end(car, cut, -1), _bottom(cut)])


def _skin(car: Car, cut: Sections) -> Quads:
    """The left half from sill to roof, each cell in its material."""
    cells = sheet_corners(cut.half).reshape(len(cut.along) - 1, RINGS - 1, 4, 3)
    middle = (cut.along[:-1] + cut.along[1:]) / 2
    paint, trim = _paint(car), Material((car.trim,) * 3, 0.2)
    parts = []
    for station, along in enumerate(middle.tolist()):
        for ring in range(RINGS - 1):
            material = _material(car.style, along, ring, car.windows_behind) or paint
            dark = ring == 0 or _is_seam(car.style, along, ring)
            parts.append(quads(cells[station, ring][None], trim if dark else material))
    return join(parts)


def _material(style: Style, along: float, ring: int, windows_behind: bool) -> Material | None:
    """What a cell is made of when it is not painted metal."""
    start, end = window_span(style)
    if ring == BELT and start < along < end and style.name != "cabrio":
        pillar = any(low < along < high for low, high in pillars(style))
        closed = along > style.roof_front + 0.1 and not windows_behind
        return None if pillar or closed else GLASS
    if ring > SHOULDER:
        return _top_material(style, along)
    if ring == WIDEST and along < 0.04:
        return _LAMP
    return _TAIL_LAMP if ring == WIDEST and along > 0.975 else None


def _top_material(style: Style, along: float) -> Material | None:
    """Windscreen, rear window, the open cabin of a cabrio, the bed of a pickup."""
    if style.name == "cabrio":
        return INTERIOR if style.cowl < along < style.deck else None
    if style.name == "pickup" and style.deck + 0.02 < along < 0.985:
        return INTERIOR
    screens = ((style.cowl, style.roof_front), (style.roof_rear, style.deck))
    return GLASS if any(a + 0.012 < along < b - 0.004 for a, b in screens) else None


def _is_seam(style: Style, along: float, ring: int) -> bool:
    """The gaps of the doors run down from the pillars."""
    doors = [low for low, _ in pillars(style)]
    return 1 <= ring < BELT and any(0 < along - low < SEAM for low in doors)


def _end(car: Car, cut: Sections, station: int) -> Quads:
    """The flat nose (station 0) or tail (-1), in bands of five: lamps, grille and bumper."""
    ring = cut.half[station]
    shares = np.array([1.0, 0.55, 0.2, -0.2, -0.55, -1.0])
    grid = np.stack([ring * [1, share, 1] for share in shares], axis=0)
    corners = sheet_corners(grid)
    if station == 0:
        corners = corners[:, ::-1]
    parts = [
        quads(cell[None], _end_material(car, number % (RINGS - 1), number // (RINGS - 1), station))
        for number, cell in enumerate(corners)
    ]
    return join(parts)


def _end_material(car: Car, ring: int, column: int, station: int) -> Material:
    dark = Material((car.trim,) * 3, 0.2)
    if ring == 0 or (station == 0 and ring == 1 and column in (1, 2, 3)):
        return dark
    if ring == WIDEST and column in (0, 4):
        return _LAMP if station == 0 else _TAIL_LAMP
    return dark if station == 0 and ring == WIDEST and column == 2 else _paint(car)


def _bottom(cut: Sections) -> Quads:
    """The dark underside."""
    edge = cut.half[:, 0]
    grid: NDArray[np.float64] = np.stack([edge * [1, -1, 1], edge], axis=1)
    return quads(sheet_corners(grid), Material((0.03, 0.03, 0.03), 0.0))


def _paint(car: Car) -> Material:
    return Material(car.paint, car.gloss)
