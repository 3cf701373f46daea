"""What cars there are: body styles as numbers, and one car drawn by chance from them."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np

PAINTS: tuple[tuple[float, float, float], ...] = (
    (0.90, 0.90, 0.89),  # white
    (0.82, 0.81, 0.77),  # cream
    (0.68, 0.69, 0.71),  # silver
    (0.42, 0.43, 0.45),  # gray
    (0.19, 0.20, 0.22),  # anthracite
    (0.07, 0.07, 0.08),  # black
    (0.60, 0.07, 0.08),  # red
    (0.35, 0.06, 0.09),  # wine
    (0.10, 0.17, 0.42),  # blue
    (0.30, 0.45, 0.62),  # ice blue
    (0.10, 0.25, 0.17),  # green
    (0.62, 0.52, 0.36),  # beige
    (0.78, 0.36, 0.07),  # orange
    (0.80, 0.66, 0.10),  # yellow
)


@dataclass(frozen=True)
class Style:
    """Proportions: length, width, height and clearance in metres, wheel radius too.

    cowl, roof_front, roof_rear, deck: where the windscreen and the rear window begin and end, as
    shares of the length from the nose. nose, hood, belt, tail: heights as shares of the height.
    """

    name: str
    length: float
    width: float
    height: float
    clearance: float
    wheel: float
    cowl: float
    roof_front: float
    roof_rear: float
    deck: float
    nose: float
    hood: float
    belt: float
    tail: float


STYLES: tuple[Style, ...] = (
    Style("sedan", 4.7, 1.82, 1.45, 0.19, 0.33, 0.29, 0.43, 0.69, 0.86, 0.46, 0.64, 0.63, 0.69),
    Style("wagon", 4.7, 1.82, 1.48, 0.19, 0.33, 0.28, 0.41, 0.90, 0.98, 0.45, 0.63, 0.62, 0.66),
    Style("hatch", 4.0, 1.74, 1.50, 0.18, 0.31, 0.24, 0.40, 0.84, 0.97, 0.44, 0.61, 0.61, 0.64),
    Style("suv", 4.6, 1.92, 1.74, 0.26, 0.38, 0.27, 0.38, 0.90, 0.98, 0.50, 0.65, 0.63, 0.66),
    Style("van", 4.9, 1.94, 1.95, 0.22, 0.34, 0.13, 0.27, 0.95, 0.99, 0.38, 0.52, 0.54, 0.55),
    Style("pickup", 5.2, 1.92, 1.80, 0.30, 0.40, 0.27, 0.37, 0.55, 0.60, 0.50, 0.62, 0.62, 0.60),
    Style("coupe", 4.4, 1.84, 1.32, 0.15, 0.34, 0.32, 0.48, 0.62, 0.92, 0.42, 0.64, 0.64, 0.68),
    Style("cabrio", 4.3, 1.80, 1.36, 0.16, 0.33, 0.31, 0.43, 0.58, 0.66, 0.44, 0.66, 0.66, 0.67),
)

_JITTER = 0.03


@dataclass(frozen=True)
class Car:
    """One car: its style, its colours (RGB in 0..1) and what is fitted to it."""

    style: Style
    paint: tuple[float, float, float]
    gloss: float
    rim: tuple[float, float, float]
    spokes: int
    trim: float
    antenna: float
    rack: bool
    spoiler: bool
    windows_behind: bool
    spare_wheel: bool


def draw_car(rng: np.random.Generator) -> Car:
    """A car by chance."""
    style = _jittered(STYLES[rng.integers(len(STYLES))], rng)
    paint = np.array(PAINTS[rng.integers(len(PAINTS))]) + rng.normal(0, 0.03, 3)
    rim = 0.12 + 0.68 * rng.random()
    chances = rng.random(6)
    tall = style.name in ("suv", "wagon", "van")
    red, green, blue = np.clip(paint, 0.04, 0.95).tolist()
    return Car(
        style=style,
        paint=(red, green, blue),
        gloss=float(rng.uniform(0.25, 0.7)),
        rim=(rim, rim, rim * 1.02),
        spokes=int(rng.integers(5, 11)),
        trim=float(rng.uniform(0.05, 0.16)),
        antenna=float(rng.uniform(0.2, 0.75)) if chances[0] < 0.7 else 0.0,
        rack=bool(chances[1] < (0.75 if tall else 0.12)) and style.name != "cabrio",
        spoiler=bool(chances[2] < 0.5) and style.name in ("sedan", "coupe", "hatch"),
        windows_behind=style.name != "van" or bool(chances[3] < 0.5),
        spare_wheel=style.name == "suv" and bool(chances[4] < 0.4),
    )


def _jittered(style: Style, rng: np.random.Generator) -> Style:
    """The style with each of its lengths a little off."""
    numbers = [field.name for field in fields(style) if field.name != "name"]
    factors = 1.0 + _JITTER * rng.uniform(-1, 1, len(numbers))
    changed = {n: getattr(style, n) * f for n, f in zip(numbers, factors.tolist(), strict=True)}
    changed["deck"] = min(changed["deck"], 0.99)
    changed["roof_rear"] = min(changed["roof_rear"], changed["deck"] - 0.02)
    return replace(style, **changed)
