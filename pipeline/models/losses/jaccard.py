"""Soft intersection over union."""

from __future__ import annotations

from torch import Tensor

from pipeline.models.losses.reduction import SMOOTH, soft_overlap


def jaccard(logits: Tensor, planes: Tensor, valid: Tensor, multiclass: bool) -> Tensor:
    """1 − soft IoU a class over the whole batch, averaged over classes."""
    overlap, total = soft_overlap(logits, planes, valid, multiclass)
    return (1 - (overlap + SMOOTH) / (total - overlap + SMOOTH)).mean()
