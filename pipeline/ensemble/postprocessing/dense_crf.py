"""Fully connected CRF: every pixel agrees with those near it, and with alike ones farther away."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.ensemble.postprocessing.lattice import Lattice
from pipeline.ensemble.postprocessing.step import Tried
from pipeline.ensemble.postprocessing.view import Picture, log_odds

TRIED = Tried(candidates=(2.0, 5.0, 10.0), settings={"colour": (5.0, 13.0)})
_TINY = np.float32(1e-20)
Plane = NDArray[np.float32]


class Kernel(Protocol):
    """Sums over all pixels with a kernel's weights, HW → HW."""

    def __call__(self, values: Plane) -> Plane: ...


def dense_crf(
    likely: Plane,
    picture: Picture,
    value: float,
    *,
    colour: float = 13.0,
    reach: float = 0.1,
    smoothness: float = 3.0,
    near: float = 3.0,
    iterations: float = 5,
) -> NDArray[np.bool_]:
    """Decide each plane, on against off, by the marginals of its mean field; bool CHW.

    P. Krähenbühl, V. Koltun, "Efficient Inference in Fully Connected CRFs with Gaussian Edge
    Potentials", NeurIPS 2011. `value` weighs the kernel of place and colour, whose standard
    deviations are `reach` times the image's longer side and `colour` levels of 0..255; `smoothness`
    weighs the kernel of place, of `near` pixels.
    """
    away = reach * max(picture.shape[:2])
    kernels = [(value, bilateral(picture, away, colour)), (smoothness, spatial(near))]
    marginals = [mean_field(plane, kernels, int(iterations)) for plane in likely]
    return np.stack(marginals) >= 0.5


def mean_field(likely: Plane, kernels: Sequence[tuple[float, Kernel]], iterations: int) -> Plane:
    """The marginal of "on" of each pixel, HW, with weighted Potts potentials.

    Kernels are normalised as the authors' code does: k(i, j) / sqrt(sum of i's · sum of j's). As
    there, a pixel's own term stays in the sum.
    """
    odds = log_odds(likely)
    messages = [(weight, _normalised(kernel, odds.shape)) for weight, kernel in kernels]
    marginal = likely
    for _ in range(iterations):
        signs = 2 * marginal - 1
        total = odds + sum(np.float32(weight) * send(signs) for weight, send in messages)
        marginal = (1 / (1 + np.exp(-total))).astype(np.float32)
    return marginal


def bilateral(picture: Picture, away: float, colour: float) -> Kernel:
    """Gaussian of place and colour; away: standard deviation in pixels, colour: in levels."""
    height, width = picture.shape[:2]
    points = np.empty((height, width, 5), np.float32)
    points[..., 0] = np.arange(width, dtype=np.float32) / np.float32(away)
    points[..., 1] = (np.arange(height, dtype=np.float32) / np.float32(away))[:, None]
    points[..., 2:] = picture / np.float32(colour)
    lattice = Lattice.of(points.reshape(-1, 5))
    return lambda values: lattice.filter(values.reshape(-1)).reshape(values.shape)


def spatial(near: float) -> Kernel:
    """Gaussian of place; near: standard deviation in pixels."""
    return lambda values: np.asarray(
        cv2.GaussianBlur(values, (0, 0), near, borderType=cv2.BORDER_CONSTANT), np.float32
    )


def _normalised(kernel: Kernel, size: tuple[int, ...]) -> Callable[[Plane], Plane]:
    scale = 1 / np.sqrt(kernel(np.ones(size, np.float32)) + _TINY)
    return lambda values: scale * kernel(scale * values)
