"""Binary cross-entropy."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from pipeline.models.losses.reduction import mean_of_valid


def bce(logits: Tensor, planes: Tensor, valid: Tensor, multiclass: bool) -> Tensor:
    """Binary cross-entropy, averaged over valid pixels and classes."""
    each = F.binary_cross_entropy_with_logits(logits, planes, reduction="none")
    return mean_of_valid(each, valid.expand_as(each))
