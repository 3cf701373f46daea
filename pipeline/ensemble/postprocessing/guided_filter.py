"""Guided filter: the map becomes, in each window, a linear function of the image's colours."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.ensemble.postprocessing.step import Tried
from pipeline.ensemble.postprocessing.view import Picture

TRIED = Tried(candidates=(0.005, 0.01, 0.02, 0.05), settings={"epsilon": (1e-4, 1e-2)})
Plane = NDArray[np.float32]


def guided_filter(
    likely: NDArray[np.float32], picture: Picture, value: float, *, epsilon: float = 1e-2
) -> NDArray[np.bool_]:
    """Decide where the filtered likelihood is 0.5 or more; bool CHW.

    K. He, J. Sun, X. Tang, "Guided Image Filtering", ECCV 2010, with a colour guide of 0..1.
    Windows reach `value` times the longer side to every side; epsilon: the variance of colours
    above which an edge of the image is kept.
    """
    radius = max(1, round(value * max(picture.shape[:2])))
    return np.stack([plane >= 0.5 for plane in filtered(likely, picture, radius, epsilon)])


def filtered(planes: NDArray[np.float32], picture: Picture, radius: int, epsilon: float) -> Plane:
    """The planes CHW, filtered; radius in pixels."""
    mean = _BoxMean(planes.shape[1:], radius)
    guide = picture.astype(np.float32) / np.float32(255)
    middle = mean(guide)
    inverse = _inverse_covariance(guide, middle, mean, epsilon)
    return np.stack([_filtered(plane, guide, middle, inverse, mean) for plane in planes])


def _filtered(
    plane: Plane, guide: Plane, middle: Plane, inverse: dict[tuple[int, int], Plane], mean: _BoxMean
) -> Plane:
    level = mean(plane)
    together = mean(guide * plane[..., None]) - middle * level[..., None]
    slope = np.stack(
        [sum(inverse[min(i, j), max(i, j)] * together[..., j] for j in range(3)) for i in range(3)],
        axis=2,
    )
    offset = level - (slope * middle).sum(axis=2)
    result: Plane = (mean(slope) * guide).sum(axis=2) + mean(offset)
    return result


def _inverse_covariance(
    guide: Plane, middle: Plane, mean: _BoxMean, epsilon: float
) -> dict[tuple[int, int], Plane]:
    """Of the colours of each window, with `epsilon` on its diagonal: the upper triangle."""
    c = {
        (i, j): mean(guide[..., i] * guide[..., j])
        - middle[..., i] * middle[..., j]
        + np.float32(epsilon * (i == j))
        for i in range(3)
        for j in range(i, 3)
    }
    cofactors = {
        (0, 0): c[1, 1] * c[2, 2] - c[1, 2] ** 2,
        (0, 1): c[0, 2] * c[1, 2] - c[0, 1] * c[2, 2],
        (0, 2): c[0, 1] * c[1, 2] - c[0, 2] * c[1, 1],
        (1, 1): c[0, 0] * c[2, 2] - c[0, 2] ** 2,
        (1, 2): c[0, 1] * c[0, 2] - c[0, 0] * c[1, 2],
        (2, 2): c[0, 0] * c[1, 1] - c[0, 1] ** 2,
    }
    determinant = sum(c[0, j] * cofactors[0, j] for j in range(3))
    return {place: each / determinant for place, each in cofactors.items()}


class _BoxMean:
    """Means over windows that end at the edges of the image."""

    def __init__(self, size: tuple[int, ...], radius: int) -> None:
        self._side = 2 * radius + 1
        self._counts = self._sums(np.ones(size, np.float32))

    def __call__(self, values: Plane) -> Plane:
        """Of HW or HWC."""
        counts = self._counts if values.ndim == 2 else self._counts[..., None]
        mean: Plane = self._sums(values) / counts
        return mean

    def _sums(self, values: Plane) -> Plane:
        sums = cv2.boxFilter(
            values, -1, (self._side, self._side), normalize=False, borderType=cv2.BORDER_CONSTANT
        )
        return np.asarray(sums, np.float32)
