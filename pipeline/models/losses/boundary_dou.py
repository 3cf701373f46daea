"""Boundary difference over union (Sun et al. 2023)."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from pipeline.config.losses import BoundaryDou
from pipeline.models.losses.reduction import (
    axes_of,
    mean_of_classes,
    probabilities_of,
)
from pipeline.models.losses.truth import Truth

_MOST = 0.8
"""Of α, as the paper's authors bound it."""
_EPSILON = 1e-5


def boundary_dou(logits: Tensor, truth: Truth, term: BoundaryDou) -> Tensor:
    """(U − I) / (U − α I) a class with soft union U and intersection I, averaged over classes.

    α = 1 − 2 C / S of the true boundary's length C and the true area S: the larger a structure,
    the more its boundary counts.
    """
    axes = axes_of(term.batch)
    probabilities = probabilities_of(logits, truth) * truth.valid
    overlap = (probabilities * truth.counted).sum(axes)
    union = (probabilities.square() + truth.counted.square()).sum(axes) - overlap
    length, area = _boundary(truth).sum(axes), truth.inside.sum(axes)
    alpha = (1 - 2 * length / area.clamp(min=1)).clamp(max=_MOST)
    return mean_of_classes((union - overlap) / (union - alpha * overlap + _EPSILON), truth)


def _boundary(truth: Truth) -> Tensor:
    """Float 0/1: pixels inside with a neighbour (of four) outside; neither void nor the edge of the
    image is one."""
    outside = truth.valid - truth.inside
    across = F.max_pool2d(outside, (1, 3), stride=1, padding=(0, 1))
    along = F.max_pool2d(outside, (3, 1), stride=1, padding=(1, 0))
    return truth.inside * across.maximum(along)
