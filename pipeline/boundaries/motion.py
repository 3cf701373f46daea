"""Estimates the shift, scale and dilation of predictions from distances between boundaries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.boundaries.distances import Border, Floats

Chosen = NDArray[np.bool_]

_ROUNDS = 4
_OUTLYING = 4.0  # robust standard deviations
_SURELY_FITS = 0.5  # pixels
_FACING = np.cos(np.pi / 4)
_FEWEST = 8
_FEWEST_IMAGES = 5  # whose differences say how certain anything is


@dataclass(frozen=True)
class BorderFit:
    """Offset of predictions from masks: shift, scale about the image centre, and dilation.

    images: with any boundary; length: pixels of boundary; matched: share of it with a predicted one
    nearby. mean: signed distance in pixels, positive where the prediction goes beyond the mask;
    left, right, up, down: the same of the boundaries that face there. dx, dy: pixels by which
    predictions lie further right and down; scale: of the prediction to the mask; dilation: pixels
    by which it is larger all around. errors: standard errors of mean, dx, dy, scale, dilation,
    by the differences between images, NaN with fewer than five. explained: by how large a share of
    the squared distances each of dx, dy, scale and dilation lowers them, given the other three.
    """

    images: int
    length: float
    matched: float
    mean: float
    left: float
    right: float
    up: float
    down: float
    dx: float
    dy: float
    scale: float
    dilation: float
    errors: dict[str, float]
    explained: dict[str, float]


def fit_borders(borders: Sequence[Border]) -> BorderFit | None:
    """Robust weighted least-squares fit to all images' boundaries; None if there are too few."""
    borders = [border for border in borders if len(border.lengths)]
    if not borders:
        return None
    image = np.repeat(np.arange(len(borders)), [len(border.lengths) for border in borders])
    normals = np.concatenate([border.normals for border in borders])
    places = np.concatenate([border.places for border in borders])
    lengths = np.concatenate([border.lengths for border in borders])
    distances = np.concatenate([border.distances for border in borders])
    found = np.isfinite(distances)
    if found.sum() < _FEWEST:
        return None
    radial = (normals * places).sum(axis=1)
    design = np.column_stack([normals, radial, np.ones(len(radial))])
    kept = _inliers(design, distances, lengths, found)
    solution, errors = _solved(design[kept], distances[kept], lengths[kept], image[kept])
    shares = explained(design[kept], distances[kept], lengths[kept], solution)
    constant = np.ones((int(kept.sum()), 1))
    mean, mean_error = _solved(constant, distances[kept], lengths[kept], image[kept])
    facing = {
        name: _mean(distances, lengths, kept & (normals @ direction > _FACING))
        for name, direction in _DIRECTIONS.items()
    }
    return BorderFit(
        images=len(borders),
        length=float(lengths.sum()),
        matched=float(lengths[found].sum() / lengths.sum()),
        mean=float(mean[0]),
        **facing,
        dx=float(solution[0]),
        dy=float(solution[1]),
        scale=1 + float(solution[2]),
        dilation=float(solution[3]),
        errors={
            "mean": float(mean_error[0]),
            **dict(zip(_CAUSES, errors.tolist(), strict=True)),
        },
        explained=dict(zip(_CAUSES, shares.tolist(), strict=True)),
    )


_CAUSES = ("dx", "dy", "scale", "dilation")
_DIRECTIONS = {
    "left": np.array([-1.0, 0.0]),
    "right": np.array([1.0, 0.0]),
    "up": np.array([0.0, -1.0]),
    "down": np.array([0.0, 1.0]),
}


def _inliers(design: Floats, distances: Floats, lengths: Floats, found: Chosen) -> Chosen:
    """The points that inform a common offset: not those where the shapes differ."""
    kept: Chosen = found.copy()
    for _ in range(_ROUNDS):
        solution = _least_squares(design[kept], distances[kept], lengths[kept])
        residuals = np.abs(distances - design @ solution)
        spread = 1.4826 * float(np.median(residuals[kept]))
        kept = found & (residuals <= max(_SURELY_FITS, _OUTLYING * spread))
    return kept


def _least_squares(design: Floats, distances: Floats, lengths: Floats) -> Floats:
    roots = np.sqrt(lengths)
    return np.asarray(np.linalg.lstsq(design * roots[:, None], distances * roots, rcond=None)[0])


def _solved(
    design: Floats, distances: Floats, lengths: Floats, image: NDArray[np.intp]
) -> tuple[Floats, Floats]:
    """The solution, and its standard errors with images as clusters (Liang & Zeger 1986).

    NaN errors with so few images that their differences say nothing.
    """
    solution = _least_squares(design, distances, lengths)
    scores = design * (lengths * (distances - design @ solution))[:, None]
    sums = np.zeros((int(image.max()) + 1, design.shape[1]))
    np.add.at(sums, image, scores)
    bread = _inverse(design, lengths)
    count = len(np.unique(image))
    if count < _FEWEST_IMAGES:
        return solution, np.full(len(solution), np.nan)
    covariance = bread @ (sums.T @ sums) @ bread * (count / (count - 1))
    return solution, np.sqrt(np.maximum(np.diag(covariance), 0))


def explained(design: Floats, distances: Floats, lengths: Floats, solution: Floats) -> Floats:
    """Increase of the squared residuals without each column, as a share of all."""
    added = np.square(solution) / np.maximum(np.diag(_inverse(design, lengths)), 1e-300)
    return np.asarray(added / max(float(lengths @ np.square(distances)), 1e-300))


def _inverse(design: Floats, lengths: Floats) -> Floats:
    return np.asarray(np.linalg.pinv((design * lengths[:, None]).T @ design))


def _mean(distances: Floats, lengths: Floats, chosen: Chosen) -> float:
    """The mean distance of the chosen points; NaN of none."""
    if not chosen.any():
        return float("nan")
    return float(np.average(distances[chosen], weights=lengths[chosen]))
