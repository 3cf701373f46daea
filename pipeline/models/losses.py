"""Losses over NCHW logits, and the one registry of their names.

Each takes logits, the true planes (float 0/1, NCHW), `valid` (float 0/1, N1HW; 0 where a pixel is
void) and whether classes exclude each other (softmax) or not (sigmoid); each gives a scalar.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor
from torch.nn import functional as F

Loss = Callable[[Tensor, Tensor, Tensor, bool], Tensor]

_SMOOTH = 1.0


def bce(logits: Tensor, planes: Tensor, valid: Tensor, multiclass: bool) -> Tensor:
    """Binary cross-entropy, averaged over valid pixels and classes."""
    each = F.binary_cross_entropy_with_logits(logits, planes, reduction="none")
    return _mean(each, valid.expand_as(each))


def ce(logits: Tensor, planes: Tensor, valid: Tensor, multiclass: bool) -> Tensor:
    """Cross-entropy over mutually exclusive classes, averaged over valid pixels."""
    each = -(logits.log_softmax(dim=1) * planes).sum(dim=1, keepdim=True)
    return _mean(each, valid)


def dice(logits: Tensor, planes: Tensor, valid: Tensor, multiclass: bool) -> Tensor:
    """1 − soft Dice a class over the whole batch (Milletari et al. 2016), averaged over classes."""
    overlap, total = _soft_overlap(logits, planes, valid, multiclass)
    return (1 - (2 * overlap + _SMOOTH) / (total + _SMOOTH)).mean()


def jaccard(logits: Tensor, planes: Tensor, valid: Tensor, multiclass: bool) -> Tensor:
    """1 − soft IoU a class over the whole batch, averaged over classes."""
    overlap, total = _soft_overlap(logits, planes, valid, multiclass)
    return (1 - (overlap + _SMOOTH) / (total - overlap + _SMOOTH)).mean()


def focal(logits: Tensor, planes: Tensor, valid: Tensor, multiclass: bool) -> Tensor:
    """Focal loss with γ = 2 (Lin et al. 2017), averaged over valid pixels."""
    if multiclass:
        log_probability = logits.log_softmax(dim=1)
        each = -((1 - log_probability.exp()).square() * log_probability * planes)
        return _mean(each.sum(dim=1, keepdim=True), valid)
    each = F.binary_cross_entropy_with_logits(logits, planes, reduction="none")
    return _mean((1 - (-each).exp()).square() * each, valid.expand_as(each))


LOSSES: dict[str, Loss] = {
    "bce": bce,
    "ce": ce,
    "dice": dice,
    "focal": focal,
    "jaccard": jaccard,
}


def weighted_loss(
    weights: Mapping[str, float], logits: Tensor, planes: Tensor, valid: Tensor, multiclass: bool
) -> Tensor:
    """The weighted sum of named losses, computed in float32 whatever the logits came in."""
    logits = logits.float()
    terms = [
        weight * LOSSES[name](logits, planes, valid, multiclass) for name, weight in weights.items()
    ]
    return torch.stack(terms).sum()


def _mean(each: Tensor, valid: Tensor) -> Tensor:
    return (each * valid).sum() / valid.sum().clamp(min=1)


def _soft_overlap(
    logits: Tensor, planes: Tensor, valid: Tensor, multiclass: bool
) -> tuple[Tensor, Tensor]:
    """Σ p·t and Σ p + Σ t of each class over all valid pixels of the batch."""
    probabilities = (logits.softmax(dim=1) if multiclass else logits.sigmoid()) * valid
    truth = planes * valid
    axes = (0, 2, 3)
    return (probabilities * truth).sum(axes), probabilities.sum(axes) + truth.sum(axes)
