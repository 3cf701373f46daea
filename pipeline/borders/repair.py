"""The frame in which predictions would lie where the masks are."""

from __future__ import annotations

import numpy as np

from pipeline.borders.fit import BorderFit
from pipeline.config import FrameConfig

_MATTERS = 0.1  # pixels
_CERTAIN = 2.0  # standard errors


def repair(fitted: BorderFit, frame: FrameConfig, reach: float) -> FrameConfig | None:
    """The frame after which borders would agree; None where what is off is small or uncertain.

    frame: the one in which the predictions were made. reach: pixels from the middle to the edge,
    where a scale shows most.
    """
    scale_is_off = _is_off(fitted.scale - 1, fitted.errors["scale"], _MATTERS / reach)
    moves = [
        value if _is_off(value, fitted.errors[name], _MATTERS) else 0.0
        for name, value in (("dx", fitted.dx), ("dy", fitted.dy))
    ]
    if not scale_is_off and not any(moves):
        return None
    back = 1 / fitted.scale if scale_is_off else 1.0
    shift = back * (np.array(frame.shift) - moves)
    return FrameConfig(
        scale=round(frame.scale * back, 5),
        shift=(round(float(shift[0]), 2), round(float(shift[1]), 2)),
        pad=frame.pad,
    )


def _is_off(value: float, error: float, matters: float) -> bool:
    return abs(value) > max(matters, _CERTAIN * error)
