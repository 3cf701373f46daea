"""A check for ambiguous alignments: aligned images that agree nearly as well at another place."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pipeline.alignment.coarse_search import correlations
from pipeline.alignment.compare import Pair, warp_with_overlap
from pipeline.alignment.geometry import FloatArray

_HERE = 2  # pixels: what an alignment may still be off
_AROUND = 6  # pixels: shifts up to here are still the same peak


def echo(pair: Pair, warp: FloatArray) -> float:
    """The best correlation after a further shift, as a share of that without one.

    Near 1 (or beyond) for repeating patterns, and where blur has drawn every edge into two: what
    looks best is then one of several places.
    """
    warped, overlap = warp_with_overlap(pair, warp)
    surface = correlations(pair.image, np.asarray(warped * overlap, np.float32))
    peak = float(surface[_within(_HERE)].max())
    surface[_within(_AROUND)] = 0.0
    return float(surface.max()) / max(peak, 1e-6)


def _within(reach: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Shifts up to `reach`; negative ones are at the surface's end."""
    shifts = np.arange(-reach, reach + 1)
    return shifts[:, None], shifts[None, :]
