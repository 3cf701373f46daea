"""Distances from points of a mask's boundary to the predicted boundary, along the normal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

Floats = NDArray[np.float64]

REACH = 6.0
"""Search range for the predicted boundary on both sides, in pixels."""
_STEP = 0.25
_SMOOTH = 1.5  # pixels: a boundary of whole pixels has no normal before
_MOST_POINTS = 2000


@dataclass(frozen=True)
class Border:
    """N points of a mask's boundary, each with that of the prediction along its normal.

    places: Nx2 (x, y), half way between the two, in pixels from the image's middle; normals: Nx2,
    outward unit vectors, the mean direction of both boundaries; lengths: N, pixels of boundary
    that a point stands for; distances: N, pixels from one to the other along `normals`, positive
    where the prediction goes further, NaN where it has no boundary within `REACH`.
    """

    places: Floats
    normals: Floats
    lengths: Floats
    distances: Floats


def border_distances(
    mask: NDArray[np.bool_], level: NDArray[np.float32], valid: NDArray[np.bool_] | None = None
) -> Border:
    """The boundary of one class in one image; all HW.

    level: at least 0 where the class is predicted. Where a mask ends because the image does, or
    the valid part of it does, there is no boundary.
    """
    points = _steps(mask, valid)
    stride = -(-len(points) // _MOST_POINTS) if len(points) else 1
    points = points[stride // 2 :: stride]
    normals = _normals(mask, points)
    middle = (np.array(mask.shape[::-1]) - 1) / 2
    # A boundary at a slant is a staircase, whose steps are closer than those of a straight one.
    lengths = stride / np.maximum(np.abs(normals).sum(axis=1), 1.0)
    distances = _crossings(level, points, normals)
    reached = points + normals * np.nan_to_num(distances)[:, None]
    # With the mean of both normals (Rusinkiewicz 2019) curved boundaries bring in no second-order
    # error: with the mask's alone, a round piece that is shifted seems to shrink.
    both = normals + _normals(level >= 0, reached)
    both /= np.maximum(np.linalg.norm(both, axis=1), 1e-9)[:, None]
    return Border(
        (points + reached) / 2 - middle, both, lengths, distances * (both * normals).sum(axis=1)
    )


def _steps(mask: NDArray[np.bool_], valid: NDArray[np.bool_] | None) -> Floats:
    """Nx2 (x, y): half way between every two neighbours of which one is inside.

    On average over a boundary's slants these points lie on the boundary that was sampled.
    """
    counted = np.ones(mask.shape, np.bool_) if valid is None else valid
    across = (mask[:, :-1] != mask[:, 1:]) & counted[:, :-1] & counted[:, 1:]
    down = (mask[:-1] != mask[1:]) & counted[:-1] & counted[1:]
    beside = np.argwhere(across)[:, ::-1] + [0.5, 0.0]
    below = np.argwhere(down)[:, ::-1] + [0.0, 0.5]
    return np.concatenate([beside, below])


def _normals(mask: NDArray[np.bool_], points: Floats) -> Floats:
    """Outward unit vectors: down the slope of the smoothed mask."""
    border = cv2.BORDER_REPLICATE
    smooth = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), _SMOOTH, borderType=border)
    slopes = [
        _sampled(cv2.Sobel(smooth, cv2.CV_32F, *order, borderType=border), points)
        for order in ((1, 0), (0, 1))
    ]
    downhill = -np.stack(slopes, axis=1)
    return np.asarray(downhill / np.maximum(np.linalg.norm(downhill, axis=1), 1e-9)[:, None])


def _crossings(level: NDArray[np.float32], points: Floats, normals: Floats) -> Floats:
    """The nearest place along each normal where the prediction ends, going outwards."""
    offsets = np.arange(-REACH, REACH + _STEP / 2, _STEP)
    rays = points[:, None] + normals[:, None] * offsets[:, None]
    values = _sampled(level, rays.reshape(-1, 2)).reshape(len(points), len(offsets))
    inner, outer = values[:, :-1], values[:, 1:]
    leaves = (inner >= 0) & (outer < 0)
    share = inner / np.where(leaves, inner - outer, 1.0)
    places = np.where(leaves, offsets[:-1] + _STEP * share, np.inf)
    nearest = np.take_along_axis(places, np.abs(places).argmin(axis=1)[:, None], axis=1)[:, 0]
    return np.where(np.isfinite(nearest), nearest, np.nan)


def _sampled(picture: NDArray[Any], points: Floats) -> Floats:
    """Bilinear values of HW at Nx2 (x, y); beyond the edge those of the edge."""
    values = map_coordinates(picture, points.T[::-1], order=1, mode="nearest", output=np.float64)
    return np.asarray(values)
