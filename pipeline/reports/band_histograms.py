"""Draws how the values of each band are spread in the training and in the test images."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator, PercentFormatter
from numpy.typing import NDArray

from pipeline.reports.plots import INK, PALETTE, SMALL, plain_axis

Values = NDArray[np.float32]

MOST_BANDS = 16
"""Panels of a figure."""
_COLUMNS, _BINS = 4, 64
_RANGE = (0.5, 99.5)
"""Percentiles of all parts together between which values are drawn."""


def band_histograms(values: Mapping[str, Mapping[str, Values]]) -> Figure:
    """A panel a band, of the first `MOST_BANDS`; the share of pixels in each of its steps.

    values: band -> part -> values of its pixels, float32 without NaN. The parts have the same names
    in all bands.
    """
    shown = dict(list(values.items())[:MOST_BANDS])
    named = dict.fromkeys(part for by_part in shown.values() for part in by_part)
    parts = dict(zip(named, PALETTE, strict=False))
    columns = min(_COLUMNS, len(shown))
    rows = -(-len(shown) // columns)
    figure = Figure(figsize=(11, 2.2 * rows + 0.4))
    below = 0.5 / (2.2 * rows + 0.4)
    figure.subplots_adjust(
        left=0.05, right=0.99, top=1 - below * 0.6, bottom=below * 1.4, wspace=0.22, hspace=0.55
    )
    for place, (band, by_part) in enumerate(shown.items(), start=1):
        axis = figure.add_subplot(rows, columns, place)
        plain_axis(axis, band)
        axis.xaxis.set_major_locator(MaxNLocator(nbins=4))
        axis.yaxis.set_major_locator(MaxNLocator(nbins=3))
        axis.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        edges = _edges(np.concatenate([*by_part.values()]))
        for part, pixels in by_part.items():
            shares = np.histogram(pixels, edges)[0] / max(1, len(pixels))
            axis.stairs(shares, edges, color=parts[part], linewidth=1.2)
            axis.stairs(shares, edges, color=parts[part], fill=True, alpha=0.18)
    figure.legend(
        handles=[Patch(color=colour, label=part) for part, colour in parts.items()],
        loc="lower center", ncols=len(parts), frameon=False, labelcolor=INK, fontsize=SMALL,
    )  # fmt: skip
    return figure


def _edges(pixels: Values) -> NDArray[np.float64]:
    if not len(pixels):
        return np.linspace(0, 1, 2)
    low, high = np.percentile(pixels.astype(np.float64), _RANGE)
    if low == high:
        low, high = low - 0.5, high + 0.5
    return np.linspace(low, high, _BINS + 1)
