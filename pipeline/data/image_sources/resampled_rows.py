"""Rows of a band brought to another size, from no more of its own rows than they need."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.data.no_data import keeping_no_data
from pipeline.size import Size

Values = NDArray[np.float32]


def resampled_rows(read: Callable[[slice], Values], own: Size, wanted: Size, rows: slice) -> Values:
    """Rows of a band of H, W `own`, as if all of it had been resized to `wanted` (bilinear).

    read: gives rows of it as HW1 float32, with NaN where there is no data.
    """
    start, stop, _ = rows.indices(wanted[0])
    if stop <= start:
        return np.empty((0, wanted[1], 1), np.float32)
    places = (np.arange(start, stop) + 0.5) * (own[0] / wanted[0]) - 0.5
    places = places.clip(0, own[0] - 1)
    above = np.floor(places).astype(int)
    below = np.minimum(above + 1, own[0] - 1)
    share = (places - above).astype(np.float32)[:, None, None]
    first = int(above[0])

    def move(part: Values) -> Values:
        size = (wanted[1], len(part))
        wide = np.asarray(cv2.resize(part, size, interpolation=cv2.INTER_LINEAR), np.float32)
        wide = wide.reshape(len(part), wanted[1], 1)
        moved: Values = wide[above - first] * (1 - share) + wide[below - first] * share
        return moved

    return keeping_no_data(read(slice(first, int(below[-1]) + 1)), move)
