"""Soft centreline Dice (Shit et al. 2021)."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from pipeline.config.losses import ClDice
from pipeline.models.losses.reduction import (
    SMOOTH,
    axes_of,
    mean_of_classes,
    probabilities_of,
)
from pipeline.models.losses.truth import Truth

_NEIGHBOURS = ((-1, 0), (1, 0), (0, -1), (0, 1))


def cldice(logits: Tensor, truth: Truth, term: ClDice) -> Tensor:
    """1 − the harmonic mean of how much of each one's skeleton the other covers, over classes."""
    axes, true = axes_of(term.batch), truth.counted
    probabilities = probabilities_of(logits, truth) * truth.valid
    predicted_lines = soft_skeleton(probabilities, term.iterations)
    with torch.no_grad():
        true_lines = soft_skeleton(true, term.iterations)
    precision = _share(predicted_lines * true, predicted_lines, axes)
    sensitivity = _share(true_lines * probabilities, true_lines, axes)
    each = 1 - 2 * precision * sensitivity / (precision + sensitivity)
    return mean_of_classes(each, truth)


def soft_skeleton(planes: Tensor, iterations: int) -> Tensor:
    """What opening takes away from planes (N×C×H×W of 0..1), and from what erosions leave."""
    eroded = _erode(planes)
    skeleton = (planes - _dilate(eroded)).relu()
    for _ in range(iterations):
        planes, eroded = eroded, _erode(eroded)
        more = (planes - _dilate(eroded)).relu()
        skeleton = skeleton + (more - skeleton * more).relu()
    return skeleton


def _erode(planes: Tensor) -> Tensor:
    """The least of each pixel and its four neighbours."""
    if not planes.requires_grad:
        above, below, left, right = (_shifted(planes, *each, math.inf) for each in _NEIGHBOURS)
        return planes.minimum(above.minimum(below)).minimum(left.minimum(right))
    flipped = -planes
    across = F.max_pool2d(flipped, (1, 3), stride=1, padding=(0, 1))
    along = F.max_pool2d(flipped, (3, 1), stride=1, padding=(1, 0))
    return -across.maximum(along)


def _dilate(planes: Tensor) -> Tensor:
    """The largest of each pixel and its eight neighbours."""
    if not planes.requires_grad:
        above, below, left, right = _NEIGHBOURS
        for one, other in ((above, below), (left, right)):
            near = _shifted(planes, *one, -math.inf).maximum(_shifted(planes, *other, -math.inf))
            planes = planes.maximum(near)
        return planes
    return F.max_pool2d(planes, 3, stride=1, padding=1)


def _shifted(planes: Tensor, down: int, right: int, beyond: float) -> Tensor:
    """Each pixel's neighbour at a distance of one; several times faster than pooling on a CPU."""
    height, width = planes.shape[2:]
    wide = F.pad(planes, (1, 1, 1, 1), value=beyond)
    return wide[..., 1 + down : 1 + down + height, 1 + right : 1 + right + width]


def _share(covered: Tensor, lines: Tensor, axes: tuple[int, ...]) -> Tensor:
    return (covered.sum(axes) + SMOOTH) / (lines.sum(axes) + SMOOTH)
