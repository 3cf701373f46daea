"""Planar warps: families of motion, steps inside a family, and distances between warps.

A warp is a float64 3x3 matrix in the convention of `cv2.findTransformECC`: it takes a pixel (x, y)
of the image to the pixel of the reference that shows the same thing. Sizes are (height, width).
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
from scipy.linalg import expm

from pipeline.config.choices import Motion
from pipeline.size import Size

FloatArray = npt.NDArray[np.float64]

MOTIONS: tuple[Motion, ...] = ("translation", "euclidean", "affine", "homography")
PARAMETERS: dict[Motion, int] = {"translation": 2, "euclidean": 3, "affine": 6, "homography": 8}

# Generators in the order shift x, shift y, turn | zoom, stretch, shear | keystone x, keystone y:
# every family is a leading part of them.
_GENERATORS: FloatArray = np.array(
    [
        [[0, 0, 1], [0, 0, 0], [0, 0, 0]],
        [[0, 0, 0], [0, 0, 1], [0, 0, 0]],
        [[0, -1, 0], [1, 0, 0], [0, 0, 0]],
        [[1, 0, 0], [0, 1, 0], [0, 0, 0]],
        [[1, 0, 0], [0, -1, 0], [0, 0, 0]],
        [[0, 1, 0], [1, 0, 0], [0, 0, 0]],
        [[0, 0, 0], [0, 0, 0], [-1, 0, 0]],
        [[0, 0, 0], [0, 0, 0], [0, -1, 0]],
    ],
    dtype=np.float64,
)


def _centring(size: Size) -> FloatArray:
    """Takes pixels to coordinates that run from about -1 to 1 along the longer side."""
    height, width = size
    half = max(height, width) / 2.0
    return np.array(
        [
            [1 / half, 0, -(width - 1) / 2 / half],
            [0, 1 / half, -(height - 1) / 2 / half],
            [0, 0, 1],
        ]
    )


def displacement_fields(points: FloatArray, size: Size) -> FloatArray:
    """How each of the 8 parameters moves points: N x 2 pixels (x, y) -> N x 2 x 8.

    A parameter of one moves a point at half the longer side from the centre by one pixel.
    """
    x, y = (map_points(_centring(size), points)).T
    one, zero = np.ones_like(x), np.zeros_like(x)
    columns_x = [one, zero, -y, x, x, y, x * x, x * y]
    columns_y = [zero, one, x, y, -y, x, x * y, y * y]
    return np.stack([np.stack(columns_x, axis=1), np.stack(columns_y, axis=1)], axis=1)


def compose(warp: FloatArray, step: FloatArray, size: Size) -> FloatArray:
    """The warp after a small step of 2, 3, 6 or 8 parameters, which stays inside its family."""
    centring = _centring(size)
    half = max(size) / 2.0
    algebra = np.tensordot(step / half, _GENERATORS[: len(step)], axes=1)
    return normalised(warp @ np.linalg.inv(centring) @ expm(algebra) @ centring)


def normalised(warp: FloatArray) -> FloatArray:
    """The same warp with a last entry of one."""
    return np.asarray(warp / warp[2, 2], dtype=np.float64)


def map_points(warp: FloatArray, points: FloatArray) -> FloatArray:
    """Where the warp takes N x 2 points (x, y)."""
    homogeneous = np.column_stack([points, np.ones(len(points))]) @ warp.T
    return np.asarray(homogeneous[:, :2] / homogeneous[:, 2:], dtype=np.float64)


def corners(size: Size) -> FloatArray:
    """The four corner pixels (x, y) of an image."""
    bottom, right = size[0] - 1.0, size[1] - 1.0
    return np.array([[0.0, 0.0], [right, 0.0], [0.0, bottom], [right, bottom]])


def corner_distance(first: FloatArray, second: FloatArray, size: Size) -> float:
    """The largest distance in pixels between where two warps take the corners of an image."""
    points = corners(size)
    gaps = map_points(first, points) - map_points(second, points)
    return float(np.linalg.norm(gaps, axis=1).max())


def rescale(warp: FloatArray, factor: float) -> FloatArray:
    """The same warp between images whose pixel (x, y) is (factor x, factor y) there."""
    scaling = np.diag([factor, factor, 1.0])
    return normalised(scaling @ warp @ np.linalg.inv(scaling))


def similarity(
    scale: float, degrees: float, image_point: FloatArray, reference_point: FloatArray
) -> FloatArray:
    """A turn and zoom that takes one point of the image to one of the reference."""
    angle = np.deg2rad(degrees)
    linear = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    warp = np.eye(3)
    warp[:2, :2] = linear
    warp[:2, 2] = reference_point - linear @ image_point
    return warp


def scale_and_rotation(warp: FloatArray, size: Size) -> tuple[float, float]:
    """Mean scale (reference pixels per image pixel) and turn in degrees at the image's centre."""
    centre = np.array([[(size[1] - 1) / 2, (size[0] - 1) / 2]])
    middle, right, below = (
        map_points(warp, centre + offset)[0] for offset in ([0, 0], [0.5, 0], [0, 0.5])
    )
    jacobian = 2.0 * np.column_stack([right - middle, below - middle])
    turn = np.arctan2(jacobian[1, 0] - jacobian[0, 1], jacobian[0, 0] + jacobian[1, 1])
    return float(np.sqrt(abs(np.linalg.det(jacobian)))), float(np.rad2deg(turn))


def overlap_share(warp: FloatArray, size: Size, reference_size: Size) -> float:
    """Share of the image (0..1) that the reference covers; 0 for a warp that folds or shrinks."""
    around = [0, 1, 3, 2]
    places = map_points(warp, corners(size)[around]).astype(np.float32)
    field = corners(reference_size)[around].astype(np.float32)
    area = float(cv2.contourArea(places))
    if not np.isfinite(places).all() or not cv2.isContourConvex(places) or area < 1.0:
        return 0.0
    common, _ = cv2.intersectConvexConvex(places, field)
    return float(common) / area
