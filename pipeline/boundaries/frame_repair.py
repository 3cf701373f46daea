"""The setting `data.frame` that aligns predictions with masks."""

from __future__ import annotations

import numpy as np

from pipeline.boundaries.motion import BorderFit
from pipeline.config import FrameConfig

_MATTERS = 0.1  # pixels
_CERTAIN = 3.0  # standard errors
_MATCHED = 0.5  # of the masks' boundary: predictions that miss more say little of where it is
_EXPLAINS = 0.02  # of the squared distances: less is not worth training again for


def repair(fitted: BorderFit, frame: FrameConfig, reach: float) -> FrameConfig | None:
    """The frame in which predicted boundaries match those of the masks.

    None where the offset is small, uncertain, or explains little of the distances, and where most
    of the boundary is missed. frame: the one in which the predictions were made. reach: pixels from
    the middle to the edge, where a scale shows most.
    """
    if fitted.matched < _MATCHED:
        return None
    off = {
        name: value if _is_off(value, fitted.errors[name], matters, fitted.explained[name]) else 0.0
        for name, value, matters in (
            ("dx", fitted.dx, _MATTERS),
            ("dy", fitted.dy, _MATTERS),
            ("scale", fitted.scale - 1, _MATTERS / reach),
        )
    }
    if not any(off.values()):
        return None
    back = 1 / (1 + off["scale"])
    shift = back * (np.array(frame.shift) - [off["dx"], off["dy"]])
    return FrameConfig(
        scale=round(frame.scale * back, 5),
        shift=(round(float(shift[0]), 2), round(float(shift[1]), 2)),
        pad=frame.pad,
    )


def _is_off(value: float, error: float, matters: float, explained: float) -> bool:
    is_certain = abs(value) > _CERTAIN * error  # not where the error is NaN
    return abs(value) > matters and is_certain and explained > _EXPLAINS
