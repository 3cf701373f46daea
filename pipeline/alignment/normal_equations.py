"""Normal equations of motion between two images, summed over small cells.

Each cell of 8 x 8 pixels keeps the structure tensor and the pull of its residuals, so that any
family of motion, and any part of the image, can be judged without touching pixels again.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from pipeline.alignment.compare import Pair, gradients, warp_with_overlap
from pipeline.alignment.geometry import FloatArray, displacement_fields
from pipeline.alignment.photometry import Float32Image
from pipeline.size import Size

CELL = 8
# Residuals beyond this many robust standard deviations count little (Geman-McClure).
_OUTLIER = 5.0
_SAMPLING = 5
_STRIP = 8 * CELL
_NEIGHBOURS = 5
# Cells whose gradients correlate by this count in full.
_FULLY_SHARED = 0.3


@dataclass(frozen=True)
class Cells:
    """tensor: N x 2 x 2, pull: N x 2; tensor @ displacement = pull in every cell, row by row.

    common: N x 2 x 2, the part of the tensor that is in both images; nothing, for bare noise.
    """

    tensor: FloatArray
    pull: FloatArray
    common: FloatArray


def normal_equations(
    tensor: FloatArray, pull: FloatArray, fields: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Hessian P x P and score P of the N x 2 x P fields of P parameters over N cells."""
    flat = fields.reshape(-1, fields.shape[2])
    return flat.T @ (tensor @ fields).reshape(flat.shape), flat.T @ pull.ravel()


def cell_centres(size: Size) -> FloatArray:
    """N x 2 centres (x, y) of the whole cells of an image."""
    rows, columns = size[0] // CELL, size[1] // CELL
    y, x = np.mgrid[:rows, :columns] * float(CELL) + (CELL - 1) / 2
    return np.column_stack([x.ravel(), y.ravel()])


def cell_fields(size: Size) -> FloatArray:
    """How the 8 parameters move the cells: N x 2 x 8."""
    return displacement_fields(cell_centres(size), size)


def _spread(residual: Float32Image, steepness: Float32Image, overlap: Float32Image) -> float:
    """Robust standard deviation of the residuals where there is structure."""
    inside = overlap > 0
    if not inside.any():
        return 1.0
    steep = steepness[inside]
    residuals = np.abs(residual[inside])[steep >= np.quantile(steep, 0.8)]
    return 1.4826 * float(np.median(residuals)) + 1e-4


def _cell_means(values: Float32Image) -> FloatArray:
    """HW -> one mean per whole cell, rows x columns."""
    rows, columns = values.shape[0] // CELL, values.shape[1] // CELL
    whole = values[: rows * CELL, : columns * CELL]
    means = cv2.resize(whole, (columns, rows), interpolation=cv2.INTER_AREA)
    return np.asarray(means, dtype=np.float64)


def _shared(common: FloatArray, structure: FloatArray) -> FloatArray:
    """Weights in 0..1 of cells: how much of the structure about them is in both images.

    common, structure: rows x columns; products of the two gradients, and squares of their mean.
    Gradients of noise do not correlate, so bare noise says nothing instead of "no motion".
    """
    window = (_NEIGHBOURS, _NEIGHBOURS)
    both, either = (cv2.blur(np.ascontiguousarray(part), window) for part in (common, structure))
    return np.asarray(np.clip(both / (_FULLY_SHARED * either + 1e-12), 0.0, 1.0))


def _products(
    image: tuple[Float32Image, Float32Image],
    warped: tuple[Float32Image, Float32Image],
    residual: Float32Image,
    weights: Float32Image,
) -> FloatArray:
    """Cell means, rows x columns x 8: tensor xx, xy, yy, pull x, y, common xx, xy, yy.

    image, warped: derivatives along x and y.
    """
    half = np.float32(0.5)
    along_x, along_y = (image[0] + warped[0]) * half, (image[1] + warped[1]) * half
    weighted_x, weighted_y = weights * along_x, weights * along_y
    image_x, image_y = weights * image[0], weights * image[1]
    products = (
        weighted_x * along_x,
        weighted_x * along_y,
        weighted_y * along_y,
        weighted_x * residual,
        weighted_y * residual,
        image_x * warped[0],
        (image_x * warped[1] + image_y * warped[0]) * half,
        image_y * warped[1],
    )
    return np.stack([_cell_means(product) for product in products], axis=-1)


def measure(pair: Pair, warp: FloatArray) -> Cells:
    """Compare the image with the warped reference, by the mean of both gradients.

    That mean (the "efficient second-order" step of Benhimane and Malis, 2004) saves steps, and
    noise in one image does not pull. Pixels that no small motion explains, such as defects, get
    little weight, and so do cells in which the images have nothing in common.
    """
    warped, overlap = warp_with_overlap(pair, warp)
    pictures = (*pair.gradient, *gradients(warped), pair.image - warped, overlap)
    image_x, image_y, warped_x, warped_y, residual, inside = (
        picture[::_SAMPLING, ::_SAMPLING] for picture in pictures
    )
    steepness = np.square(image_x + warped_x) + np.square(image_y + warped_y)
    scale = np.float32(1.0 / (_OUTLIER * _spread(residual, steepness, inside)))
    strips = []
    # Strips of rows stay in the processor's cache.
    for top in range(0, pair.size[0] - CELL + 1, _STRIP):
        image_x, image_y, warped_x, warped_y, residual, inside = (
            picture[top : top + _STRIP] for picture in pictures
        )
        weights = inside / np.square(np.square(residual * scale) + np.float32(1.0))
        strips.append(_products((image_x, image_y), (warped_x, warped_y), residual, weights))
    means = np.concatenate(strips)
    shared = _shared(means[..., 5] + means[..., 7], means[..., 0] + means[..., 2])
    means = (means * shared[..., None]).reshape(-1, 8)
    tensor, common = means[:, [0, 1, 1, 2]], means[:, [5, 6, 6, 7]]
    return Cells(tensor.reshape(-1, 2, 2), means[:, 3:5], common.reshape(-1, 2, 2))
