"""The values of each band, of training images against test images, in the report."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.data.image_sources.registry import image_source
from pipeline.data.image_sources.source import ImageSource
from pipeline.data.inspection import PARTS
from pipeline.ensemble.blending.threads import ordered
from pipeline.reports.band_histograms import MOST_BANDS, band_histograms
from pipeline.reports.data_uri import figure_uri
from pipeline.reports.html import Picture, Section, Table
from pipeline.stages.check import Survey
from pipeline.stages.context import StageContext

VERSION = "bands/1"
"""Bumped when the section shows something else of the same images."""
IMAGES = 48
"""Of each part, evenly spread over its ids."""
_GRID = 64  # rows and columns of an image that are looked at, at most
_WHOLE = 2**24  # pixels of an image that is read at once
_PERCENTS = (1, 50, 99)


def sections(context: StageContext, survey: Survey) -> list[Section]:
    """One section where bands are named; none for 8-bit RGB."""
    data = context.experiment.data
    if data.bands is None:
        return []
    source = image_source(data.model_copy(update={"stack": None}))  # neighbours are images, too
    found: dict[str, NDArray[np.float32]] = {}
    counts = []
    for part in PARTS:
        paths = [each.image for each in survey.catalog.by_id[part].values()]
        some = paths[:: max(1, -(-len(paths) // IMAGES))]
        if some:
            found[part] = np.concatenate(list(ordered(lambda path: sampled(path, source), some)))
            counts.append(f"{len(some)} of {len(paths)} {part} images")
    values = {
        name: {part: _there(pixels[:, number]) for part, pixels in found.items()}
        for number, name in enumerate(source.bands)
    }
    text = (
        f"Up to {_GRID}×{_GRID} pixels, on an even grid, of {' and '.join(counts)}. Where a band "
        "lies apart in train and in test, see whether the files have the same unit and scale."
    )
    left = len(values) - MOST_BANDS
    caption = f"the first {MOST_BANDS} bands; the table has all" if left > 0 else ""
    picture = Picture(figure_uri(band_histograms(values)), caption)
    return [Section("Bands", text, _table(values, found), figures=[picture])]


def sampled(path: Path, source: ImageSource) -> NDArray[np.float32]:
    """Pixels of an image on an even grid, N×bands; NaN where there is no data."""
    rows = source.rows(path)
    height, width = rows.shape[:2]
    if height * width <= _WHOLE:  # most formats are decoded whole for every row
        rows = rows[:]
    down, across = (max(1, -(-side // _GRID)) for side in (height, width))
    places = range(down // 2, height, down)
    picked = np.concatenate([rows[place : place + 1][:, across // 2 :: across] for place in places])
    return np.asarray(picked.reshape(-1, picked.shape[2]), np.float32)


def _there(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
    return pixels[~np.isnan(pixels)]


def _table(
    values: dict[str, dict[str, NDArray[np.float32]]], found: dict[str, NDArray[np.float32]]
) -> Table:
    columns = ["band", "part", *(f"{percent} %" for percent in _PERCENTS), "no data"]
    rows = [
        [band, part, *_percentiles(pixels), f"{1 - len(pixels) / max(1, len(found[part])):.1%}"]
        for band, by_part in values.items()
        for part, pixels in by_part.items()
    ]
    return Table(columns, rows)


def _percentiles(pixels: NDArray[np.float32]) -> Sequence[str]:
    if not len(pixels):
        return ["–"] * len(_PERCENTS)
    return [f"{each:.4g}" for each in np.percentile(pixels.astype(np.float64), _PERCENTS)]
