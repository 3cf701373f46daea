"""Soft Dice."""

from __future__ import annotations

from torch import Tensor

from pipeline.models.losses.reduction import SMOOTH, soft_overlap


def dice(logits: Tensor, planes: Tensor, valid: Tensor, multiclass: bool) -> Tensor:
    """1 − soft Dice a class over the whole batch (Milletari et al. 2016), averaged over classes."""
    overlap, total = soft_overlap(logits, planes, valid, multiclass)
    return (1 - (2 * overlap + SMOOTH) / (total + SMOOTH)).mean()
