"""Focal loss (Lin et al. 2017)."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from pipeline.models.losses.reduction import mean_of_valid


def focal(logits: Tensor, planes: Tensor, valid: Tensor, multiclass: bool) -> Tensor:
    """Focal loss with γ = 2, averaged over valid pixels."""
    if multiclass:
        log_probability = logits.log_softmax(dim=1)
        each = -((1 - log_probability.exp()).square() * log_probability * planes)
        return mean_of_valid(each.sum(dim=1, keepdim=True), valid)
    each = F.binary_cross_entropy_with_logits(logits, planes, reduction="none")
    return mean_of_valid((1 - (-each).exp()).square() * each, valid.expand_as(each))
