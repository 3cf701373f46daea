"""Shows the alignment: pairs before and after, and how far references were moved."""

from __future__ import annotations

import cv2
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray

from pipeline.reports.plots import INK, PALETTE, row_of_panels

_GAP = 6  # pixels between the parts of a strip
_CONTRAST = 2.0
_BINS = 24


def difference_strip(
    image: NDArray[np.uint8], before: NDArray[np.uint8], after: NDArray[np.uint8]
) -> NDArray[np.uint8]:
    """The image, and how it differs from the reference before and after: H x 3W and gaps x 3.

    All HWC uint8 RGB of one size. Gray is equal, brighter is where the image is brighter; the
    reference's brightness and contrast are brought to the image's first.
    """
    gap = np.full((image.shape[0], _GAP, 3), 255, np.uint8)
    parts = [image, gap, _difference(image, before), gap, _difference(image, after)]
    return np.concatenate(parts, axis=1)


def alignment_figure(table: pd.DataFrame, displacements: NDArray[np.float64]) -> Figure:
    """How far corners moved, how well pairs agree, and how sure their corners are.

    table: `alignment.csv`; displacements: pixels, a row each, from middle on middle.
    """
    titles = [
        "largest displacement of a corner, px",
        "correlation",
        "standard error of the worst corner, px",
    ]
    figure, (moved, agrees, unsure) = row_of_panels(titles)
    moved.hist(displacements, bins=_BINS, color=PALETTE[0])
    edges = np.linspace(min(0.0, float(table["cc_before"].min())), 1, _BINS + 1)
    for column, label, colour in (("cc_before", "before", 1), ("cc_after", "after", 0)):
        agrees.hist(
            table[column], bins=edges.tolist(), color=PALETTE[colour], alpha=0.7, label=label
        )
    agrees.legend(frameon=False, labelcolor=INK, fontsize=8)
    known = table["corner_px"].to_numpy(np.float64)
    unsure.hist(known[np.isfinite(known)], bins=_BINS, color=PALETTE[0])
    for axis in (moved, agrees, unsure):
        axis.set_ylabel("pairs", color=INK, fontsize=8)
    return figure


def _difference(image: NDArray[np.uint8], reference: NDArray[np.uint8]) -> NDArray[np.uint8]:
    seen, clean = (
        cv2.cvtColor(each, cv2.COLOR_RGB2GRAY).astype(float) for each in (image, reference)
    )
    gain, bias = np.polyfit(clean.ravel(), seen.ravel(), 1) if clean.std() > 0 else (0, seen.mean())
    shown = 128 + _CONTRAST * (seen - gain * clean - bias)
    gray = np.clip(np.rint(shown), 0, 255).astype(np.uint8)
    return np.repeat(gray[..., None], 3, axis=2)
