"""Tversky loss (Salehi et al. 2017)."""

from __future__ import annotations

from torch import Tensor

from pipeline.config.losses import Tversky
from pipeline.models.losses.reduction import SMOOTH, mean_of_classes, soft_sums
from pipeline.models.losses.truth import Truth


def tversky(logits: Tensor, truth: Truth, term: Tversky) -> Tensor:
    """1 − soft Tversky index a class, averaged over classes."""
    return mean_of_classes(tversky_by_class(logits, truth, term), truth)


def tversky_by_class(logits: Tensor, truth: Truth, term: Tversky) -> Tensor:
    """1 − TP / (TP + α FP + β FN); C, or N×C of each image."""
    overlap, predicted, true = soft_sums(logits, truth, term.batch)
    errors = term.alpha * (predicted - overlap) + term.beta * (true - overlap)
    return 1 - (overlap + SMOOTH) / (overlap + errors + SMOOTH)
