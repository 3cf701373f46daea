"""Soft Dice."""

from __future__ import annotations

from torch import Tensor

from pipeline.config.losses import Dice
from pipeline.models.losses.reduction import (
    SMOOTH,
    axes_of,
    mean_of_classes,
    probabilities_of,
    soft_sums,
)
from pipeline.models.losses.truth import Truth


def dice(logits: Tensor, truth: Truth, term: Dice) -> Tensor:
    """1 − soft Dice a class (Milletari et al. 2016), averaged over classes."""
    overlap, predicted, true = soft_sums(logits, truth, term.batch)
    total = predicted + true
    if term.squared:
        probabilities = probabilities_of(logits, truth) * truth.valid
        total = (probabilities.square() + truth.counted.square()).sum(axes_of(term.batch))
    return mean_of_classes(1 - (2 * overlap + SMOOTH) / (total + SMOOTH), truth)
