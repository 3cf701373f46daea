"""The outline of a car's body as cross-sections along its length, and where its windows are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.demo.turntable.quads import Floats
from pipeline.demo.turntable.styles import Style

RINGS = 8  # points of half a cross-section, from the sill to the roof's middle
WIDEST, BELT, SHOULDER = 2, 4, 5  # the rings where the body is widest, where windows begin and end
SEAM = 0.006  # width of a door gap or of half a pillar edge, as a share of the length


@dataclass(frozen=True)
class Sections:
    """Stations along the car: `along` S (0 nose .. 1 tail) and `half` SxRx3, the left half."""

    along: Floats
    half: Floats


def top_height(style: Style, along: Floats) -> Floats:
    """Height of the car's middle line over the floor in metres at shares of its length."""
    middle = (style.roof_front + style.roof_rear) / 2
    knots = [
        (0.0, style.nose),
        (0.05, style.nose + 0.07),
        (style.cowl, style.hood),
        (style.roof_front, 0.975),
        (middle, 1.0),
        (style.roof_rear, 0.965),
        (style.deck, style.tail),
        (0.985, style.tail - 0.01),
        (1.0, style.tail - 0.08),
    ]
    if style.name == "cabrio":
        knots = [k for k in knots if k[1] < 0.9]
    places, heights = np.array(sorted(knots)).T
    fine = np.linspace(-0.1, 1.1, 601)
    window = np.hanning(23)
    smooth = np.convolve(np.interp(fine, places, heights), window / window.sum(), "same")
    return np.asarray(np.interp(along, fine, smooth) * style.height)


def half_width(style: Style, along: Floats) -> Floats:
    """Half the width in metres: rounded at the nose and the tail."""
    nose = np.clip((0.16 - along) / 0.16, 0, 1) ** 2.5
    tail = np.clip((along - 0.9) / 0.1, 0, 1) ** 2.5
    return np.asarray(style.width / 2 * (1 - 0.20 * nose - 0.12 * tail))


def sections(style: Style) -> Sections:
    """The cross-sections, closer together where the body bends or a part ends."""
    edges = [e for bounds in pillars(style) for e in bounds] + list(window_span(style))
    edges += [style.cowl, style.roof_front, style.roof_rear, style.deck]
    ends = [0.0, 0.008, 0.02, 0.04, 0.06, 0.94, 0.96, 0.98, 0.992, 1.0]
    along = np.unique(np.concatenate([np.linspace(0.09, 0.92, 30), ends, edges]).clip(0, 1))
    top, width = top_height(style, along), half_width(style, along)
    belt = np.minimum(style.belt * style.height * (1 + 0.05 * (along - 0.5)), top - 0.03)
    roof = np.clip((top - belt) / ((1 - style.belt) * style.height), 0, 1)
    sill = style.clearance + 0.10 * (np.clip((0.06 - along) / 0.06, 0, 1) ** 2)
    sill = sill + 0.12 * np.clip((along - 0.93) / 0.07, 0, 1) ** 2
    lean = width * (0.95 - (0.12 if style.name == "van" else 0.21) * roof)
    ring_y = [0.86 * width, 0.97 * width, width, 0.985 * width, 0.95 * width, lean]
    ring_y += [lean * (0.93 - 0.06 * roof), np.zeros_like(width)]
    rise = top - belt
    ring_z = [sill, sill + 0.07, sill + 0.48 * (belt - sill), belt - 0.05, belt]
    ring_z += [belt + 0.84 * rise, belt + 0.95 * rise, top]
    x = np.repeat(((0.5 - along) * style.length)[:, None], RINGS, axis=1)
    return Sections(along, np.stack([x, np.stack(ring_y, 1), np.stack(ring_z, 1)], axis=2))


def window_span(style: Style) -> tuple[float, float]:
    """Where the side windows begin and end."""
    return (
        style.cowl + 0.35 * (style.roof_front - style.cowl),
        style.roof_rear + 0.45 * (style.deck - style.roof_rear),
    )


def pillars(style: Style) -> list[tuple[float, float]]:
    """The pillars between the side windows; a long cabin has two."""
    count = 2 if style.roof_rear - style.roof_front > 0.35 else 1
    places = np.linspace(style.roof_front + 0.02, style.roof_rear + 0.02, count + 2)[1:-1]
    return [(place - SEAM, place + SEAM) for place in places.tolist()]
