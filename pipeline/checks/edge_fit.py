"""Compares readings of run lengths (or of EXIF orientation) by how well they fit the images.

The outline of a mask that lies right runs along edges of its image: there the gray level changes
across the outline, not along it. The same outline moved elsewhere shows how much of that is chance,
so that stripes and other textures do not count. Readings are compared image by image.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.config import DataConfig
from pipeline.data.catalog import Sample
from pipeline.data.image_sources.registry import image_source
from pipeline.data.masks.format import MaskFormat
from pipeline.data.masks.registry import mask_format
from pipeline.errors import DataError

MOST_PICTURES = 40
_FEWEST_PICTURES = 6
_SURE = 1e-3  # one-sided p of the paired test
_SHIFTS = 12
_MOST_POINTS = 20_000
_SHREDDED = 3  # times as many pieces as another reading's

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Reading:
    """One way to read the masks, and how well it fits the images."""

    name: str
    """The setting that selects it; "" for the present setting."""
    pieces: int
    """Number of components of all masks together."""
    scores: FloatArray
    """By image: how much better the mask's outline fits than outlines elsewhere."""


def compare_readings(data: DataConfig, samples: Sequence[Sample], turned: bool) -> list[Reading]:
    """The reading of the experiment first, then the others that could be meant.

    turned: whether EXIF turns any of `samples`. Samples that cannot be read in some way are left
    out; up to MOST_PICTURES are looked at.
    """
    ways = _ways(data, turned)
    formats = {name: (way, mask_format(way)) for name, way in ways.items()}
    rows = []
    step = max(1, len(samples) // MOST_PICTURES)
    for sample in samples[::step][:MOST_PICTURES]:
        try:
            rows.append([_look(sample, *formats[name]) for name in ways])
        except DataError:
            continue
    pieces = np.array([[each[0] for each in row] for row in rows]).reshape(-1, len(ways))
    scores = np.array([[each[1] for each in row] for row in rows]).reshape(-1, len(ways))
    return [
        Reading(name, int(pieces[:, column].sum()), scores[:, column])
        for column, name in enumerate(ways)
    ]


def fits_better(one: Reading, other: Reading) -> bool:
    """True if `one` fits the images clearly better than `other`."""
    from scipy import stats  # its import takes seconds

    known = np.isfinite(one.scores) & np.isfinite(other.scores)
    gain = one.scores[known] - other.scores[known]
    if len(gain) < _FEWEST_PICTURES or not gain.any():
        return False
    at_all = one.scores[known]
    return bool(
        stats.ttest_1samp(gain, 0, alternative="greater").pvalue < _SURE
        and stats.ttest_1samp(at_all, 0, alternative="greater").pvalue < _SURE
        and at_all.mean() > 2 * other.scores[known].mean()
    )


def best_reading(readings: Sequence[Reading]) -> Reading | None:
    """The one that fits clearly better than every other; None when the images do not tell."""
    for one in readings:
        if all(fits_better(one, other) for other in readings if other is not one):
            return one
    return None


def is_shredded(readings: Sequence[Reading]) -> bool:
    """True if the experiment's reading falls into far more pieces than another one."""
    return readings[0].pieces > _SHREDDED * min(each.pieces for each in readings)


def whole_readings(readings: Sequence[Reading]) -> list[Reading]:
    """The readings whose masks do not fall into many small pieces."""
    fewest = min(each.pieces for each in readings)
    return [each for each in readings if each.pieces <= _SHREDDED * fewest]


def _ways(data: DataConfig, turned: bool) -> dict[str, DataConfig]:
    """Setting → the experiment's data with it; "" means unchanged."""
    exif: dict[str, dict[str, object]] = {"": {}}
    if turned:
        other = "ignore" if data.turns else "apply"
        exif[f"data.exif: {other}"] = {"exif": other}
    return {
        " and ".join(filter(None, [masks, turn])): data.model_copy(update={**update, "masks": way})
        for turn, update in exif.items()
        for masks, way in mask_format(data).readings.items()
    }


def _look(sample: Sample, data: DataConfig, masks: MaskFormat) -> tuple[int, float]:
    source = image_source(data)
    image = source.shown(source.read(sample.image))
    truth = masks.read(sample.id, sample.masks, (image.shape[0], image.shape[1]))
    inside = np.asarray(truth.planes.any(axis=0), np.bool_)
    gray = np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), np.uint8)
    pieces = cv2.connectedComponents(inside.astype(np.uint8), connectivity=8)[0] - 1
    return pieces, outline_score(gray, inside)


def outline_score(gray: NDArray[np.uint8], inside: NDArray[np.bool_]) -> float:
    """How much more `gray` changes across a mask's outline than along it, HW both.

    In units of the image's mean gradient, and less the mean of the same outline at other places
    (wrapped around the edges); NaN for a mask without outline or an image without edges.
    """
    smooth = cv2.GaussianBlur(gray.astype(np.float32), (0, 0), 1)
    slopes = [cv2.Sobel(smooth, cv2.CV_32F, 0, 1), cv2.Sobel(smooth, cv2.CV_32F, 1, 0)]
    gradient = np.stack(slopes).astype(np.float32)
    points, normals = _outline(inside)
    typical = np.hypot(*gradient).mean()
    if not len(points) or typical < 1e-6:
        return float("nan")
    random = np.random.default_rng(0)
    shifts = [(0, 0)] + [
        tuple(
            random.integers(side // 8, max(side - side // 8, side // 8 + 1)) for side in gray.shape
        )
        for _ in range(_SHIFTS)
    ]
    found = [_across(gradient, points + shift, normals) for shift in np.array(shifts)]
    return float((found[0] - np.mean(found[1:])) / typical)


def _outline(inside: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Points N×2 of a mask's outline within the image, and the directions across it."""
    soft = cv2.GaussianBlur(inside.astype(np.float32), (0, 0), 1.5)
    down, right = cv2.Sobel(soft, cv2.CV_32F, 0, 1), cv2.Sobel(soft, cv2.CV_32F, 1, 0)
    length = np.hypot(down, right)
    edge = cv2.morphologyEx(inside.view(np.uint8), cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8))
    points = np.argwhere((edge > 0) & (length > 1e-3))
    points = points[:: max(1, len(points) // _MOST_POINTS)]
    rows, columns = points.T
    normals = np.stack([down[rows, columns], right[rows, columns]], axis=1)
    return points, np.asarray(normals / length[rows, columns][:, None], np.float32)


def _across(
    gradient: NDArray[np.float32], points: NDArray[np.int64], normals: NDArray[np.float32]
) -> float:
    _, height, width = gradient.shape
    down, right = gradient[:, points[:, 0] % height, points[:, 1] % width]
    across = np.abs(down * normals[:, 0] + right * normals[:, 1])
    along = np.abs(right * normals[:, 0] - down * normals[:, 1])
    return float((across - along).mean())
