"""Erosion and dilation of planes that gradients pass through.

Pooling gives the same; on a CPU shifted copies are several times faster.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

_NEIGHBOURS = ((-1, 0), (1, 0), (0, -1), (0, 1))


def erode(planes: Tensor) -> Tensor:
    """The least of each pixel and its four neighbours; N×C×H×W."""
    eroded: Tensor = _Erosion.apply(planes)
    return eroded


def dilate(planes: Tensor) -> Tensor:
    """The largest of each pixel and its eight neighbours; N×C×H×W."""
    if planes.requires_grad:
        return F.max_pool2d(planes, 3, stride=1, padding=1)
    for one, other in (_NEIGHBOURS[:2], _NEIGHBOURS[2:]):
        wide = F.pad(planes, (1, 1, 1, 1), value=-math.inf)
        planes = planes.maximum(_moved(wide, one).maximum(_moved(wide, other)))
    return planes


class _Erosion(torch.autograd.Function):
    """The gradient goes to one of the pixels that are the least, as in pooling."""

    @staticmethod
    def forward(context: Any, planes: Tensor) -> Tensor:
        wide = F.pad(planes, (1, 1, 1, 1), value=math.inf)
        least = planes
        for each in _NEIGHBOURS:
            least = least.minimum(_moved(wide, each))
        context.save_for_backward(wide, least)
        return least

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> Tensor:
        wide, least = context.saved_tensors
        passed, rest = torch.zeros_like(wide), gradient.clone()
        for each in ((0, 0), *_NEIGHBOURS):
            here = rest * (_moved(wide, each) == least)
            _moved(passed, each).add_(here)
            rest.sub_(here)
        return _moved(passed, (0, 0))


def _moved(wide: Tensor, place: tuple[int, int]) -> Tensor:
    """A view of planes with a border of one pixel: the neighbour at `place` (down, right)."""
    height, width = wide.shape[2] - 2, wide.shape[3] - 2
    down, right = place
    return wide[..., 1 + down : 1 + down + height, 1 + right : 1 + right + width]
