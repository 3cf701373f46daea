"""Tests which family of motion a pair supports, and how certain the corners of its warp are.

Two copies of one thing never agree exactly: edges wander, prints bleed, lenses bend. A richer
motion always fits some of that, and drifts by pixels where there is little to see. So its gain
is held against the gain of deformations that no flat thing shows to a camera (all polynomials up
to the third degree, less the motions themselves): only what beats them clearly is motion. The same
deformations tell how far such misfit moves the corners.
"""

from __future__ import annotations

import numpy as np

from pipeline.alignment.geometry import (
    PARAMETERS,
    FloatArray,
    corners,
    displacement_fields,
    map_points,
)
from pipeline.alignment.normal_equations import CELL, Cells, cell_centres, normal_equations
from pipeline.alignment.refine import MotionFit
from pipeline.size import Size

# Patches of this many cells a side (32 pixels) are taken to err independently; errors that they
# share are not seen, so theirs count for more than measured, and never for nothing.
_PATCH = 4
_DOUBT = 2.0
_LEAST_ERROR = 0.08
# So few patches of equal structure measure nothing; their error is taken for twice as large.
_FEW_PATCHES = 4.0
# Directions of which less than this share is in both images fade away.
_COMMON_SHARE = 0.15
# Directions of a patch with less than this share of its structure say nothing.
_WEAKEST = 0.02
_RICHEST = PARAMETERS["homography"]


def _deformation_fields(points: FloatArray, size: Size) -> FloatArray:
    """N x 2 x 22: the 8 motions, then all squares and cubes along x and along y."""
    motions = displacement_fields(points, size)
    x, y = motions[:, 0, 3], motions[:, 1, 3]
    powers = (x * x, x * y, y * y, x**3, x * x * y, x * y * y, y**3)
    zero = np.zeros_like(x)
    bends = [np.stack(pair, axis=1) for power in powers for pair in ((power, zero), (zero, power))]
    return np.concatenate([motions, np.stack(bends, axis=2)], axis=2)


def _gain(hessian: FloatArray, score: FloatArray, count: int) -> float:
    """How much the first parameters lower the squared residuals, to second order."""
    step = np.linalg.lstsq(hessian[:count, :count], score[:count], rcond=1e-7)[0]
    return float(score[:count] @ step)


def _patches(values: FloatArray, size: Size) -> FloatArray:
    """Sums over patches of cells; cells at the far borders that fill no patch are left out."""
    rows, columns = size[0] // CELL, size[1] // CELL
    tall, wide = rows // _PATCH, columns // _PATCH
    grid = values.reshape(rows, columns, *values.shape[1:])[: tall * _PATCH, : wide * _PATCH]
    split = grid.reshape(tall, _PATCH, wide, _PATCH, *values.shape[1:])
    return np.asarray(split.sum(axis=(1, 3)).reshape(tall * wide, *values.shape[1:]))


def _least_misfit(cells: Cells, size: Size) -> float:
    """Misfit per deformation if patches err independently: the more patches, the less.

    How far they err is measured: each patch says where it would rather be.
    """
    tensor, pull = _patches(cells.tensor, size), _patches(cells.pull, size)
    structure = np.einsum("nii->n", tensor)
    total = float(structure.sum())
    damping = (_WEAKEST * structure + 1e-12)[:, None, None] * np.eye(2)
    wished = np.einsum("ni,nij,nj->n", pull, np.linalg.inv(tensor + damping), pull)
    squares = float(structure @ structure)
    seen = _DOUBT**2 * float(wished.sum()) / max(total, 1e-12)
    few = 1.0 + _FEW_PATCHES * squares / max(total**2, 1e-12)
    return (seen * few + _LEAST_ERROR**2) * squares / max(total, 1e-12)


def _information(hessian: FloatArray, common: FloatArray) -> FloatArray:
    """The Hessian, less the directions in which the images have nothing in common.

    hessian, common: P x P of the cells' tensors and of what these have in common. Along a stripe,
    noise alone makes a Hessian, and any displacement would seem to be known.
    """
    damping = 1e-9 * float(np.trace(hessian)) + 1e-12
    root = np.linalg.cholesky(hessian + damping * np.eye(len(hessian)))
    inverse = np.linalg.inv(root)
    shares, directions = np.linalg.eigh(inverse @ common @ inverse.T)
    kept = np.square(np.clip(shares / _COMMON_SHARE, 1e-4, 1.0))
    basis = root @ directions
    return np.asarray((basis * kept) @ basis.T)


class MotionEvidence:
    """Evidence of the cells of a fit for its warp and for simpler ones.

    found: a fit at rest; size: of its image. Lengths are in pixels of that image.
    """

    def __init__(self, found: MotionFit, size: Size) -> None:
        self._found, self._size, cells = found, size, found.cells
        self._points = cell_centres(size)
        fields = _deformation_fields(self._points, size)
        self._motions = fields[:, :, :_RICHEST]
        hessian, score = normal_equations(cells.tensor, cells.pull, fields)
        bent = _gain(hessian, score, len(score)) - _gain(hessian, score, _RICHEST)
        # The two keystones are among the squares already.
        freedom = len(score) - _RICHEST - 2
        self._misfit = bent / freedom + _least_misfit(cells, size)
        common, _ = normal_equations(cells.common, cells.pull, self._motions)
        self._hessian = hessian[:_RICHEST, :_RICHEST]
        self._information = _information(self._hessian, common)

    def support(self, poorer: MotionFit) -> float:
        """F value by which this fit's extra freedom beats the deformations."""
        moved = map_points(np.linalg.inv(poorer.warp) @ self._found.warp, self._points)
        tensor = self._found.cells.tensor
        pull = np.einsum("nij,nj->ni", tensor, moved - self._points)
        _, score = normal_equations(tensor, pull, self._motions)
        step = np.linalg.lstsq(self._hessian, score, rcond=1e-9)[0]
        informed = self._information @ step
        few, many = PARAMETERS[poorer.motion], PARAMETERS[self._found.motion]
        gain = _gain(self._information, informed, many) - _gain(self._information, informed, few)
        return gain / (many - few) / self._misfit

    def corner_deviation(self) -> float:
        """Standard deviation in pixels of the least certain corner."""
        count = PARAMETERS[self._found.motion]
        information = self._information[:count, :count]
        damping = 1e-9 * float(np.trace(information)) + 1e-12
        covariance = self._misfit * np.linalg.inv(information + damping * np.eye(count))
        fields = displacement_fields(corners(self._size), self._size)[:, :, :count]
        variances = np.einsum("nik,kl,nil->n", fields, covariance, fields)
        return float(np.sqrt(max(0.0, variances.max())))
