"""The colour of each class, the same in every image of a run."""

from __future__ import annotations

import colorsys
from collections.abc import Mapping

from pipeline.config.colours import RGB, rgb_of

BACKGROUND: RGB = (0, 0, 0)
_FIRST: tuple[RGB, ...] = (
    (230, 75, 60), (60, 130, 245), (60, 185, 90), (250, 190, 40), (165, 85, 220),
    (30, 195, 200), (245, 130, 50), (240, 90, 170), (150, 115, 80), (160, 200, 60),
)  # fmt: skip
_GOLDEN = 0.618034  # hues so far apart (of a full turn) never come near an earlier one for long


def class_colours(classes: Mapping[str, int | str]) -> dict[str, RGB]:
    """RGB 0..255 by class: its own, where masks are painted in colours; black for a class of pixel
    value 0 beside others, the background.
    """
    colours: dict[str, RGB] = {}
    for name, value in classes.items():
        is_background = value == 0 and len(classes) > 1
        if isinstance(value, str):
            colours[name] = rgb_of(value)
        else:
            colours[name] = BACKGROUND if is_background else _colour(len(colours))
    return colours


def _colour(number: int) -> RGB:
    if number < len(_FIRST):
        return _FIRST[number]
    red, green, blue = colorsys.hsv_to_rgb(number * _GOLDEN % 1, 0.65, 0.9)
    return round(255 * red), round(255 * green), round(255 * blue)
