"""Focal loss (Lin et al. 2017)."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from pipeline.config.losses import Focal
from pipeline.models.losses.class_weights import weighted_by_class
from pipeline.models.losses.reduction import mean_of_hardest, mean_of_valid
from pipeline.models.losses.truth import Truth

_LEAST = 1e-30
"""Of an error before it is raised to a power, whose slope at 0 may be infinite."""


def focal(logits: Tensor, truth: Truth, term: Focal) -> Tensor:
    """(1 − p)^γ times the cross-entropy, p being that of the truth, averaged over valid pixels."""
    return (_multiclass if truth.multiclass else _multilabel)(logits, truth, term)


def _multiclass(logits: Tensor, truth: Truth, term: Focal) -> Tensor:
    log_probability = logits.log_softmax(dim=1)
    focus = (1 - log_probability.exp()).clamp(min=_LEAST).pow(term.gamma)
    parts = weighted_by_class(-(focus * log_probability * truth.planes), term.class_weights)
    counted = truth.valid
    if term.class_weights is not None:
        weights = weighted_by_class(truth.planes, term.class_weights)
        counted = weights.sum(dim=1, keepdim=True) * counted
    return mean_of_hardest(parts.sum(dim=1, keepdim=True) * truth.valid, counted, 1)


def _multilabel(logits: Tensor, truth: Truth, term: Focal) -> Tensor:
    each = F.binary_cross_entropy_with_logits(logits, truth.planes, reduction="none")
    each = (1 - (-each).exp()).clamp(min=_LEAST).pow(term.gamma) * each
    if term.alpha is not None:
        each = each * (term.alpha * truth.planes + (1 - term.alpha) * (1 - truth.planes))
    counted = weighted_by_class(truth.valid.expand_as(each), term.class_weights)
    return mean_of_valid(each, counted)
