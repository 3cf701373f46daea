"""Sums and means for losses that ignore void pixels."""

from __future__ import annotations

from torch import Tensor

SMOOTH = 1.0
"""Added to both sides of a ratio of pixels, so that an empty mask predicted empty costs nothing."""


def mean_of_valid(each: Tensor, valid: Tensor) -> Tensor:
    """The mean of `each` where `valid` (float 0/1, of the same shape) is 1; 0 where nothing is."""
    return (each * valid).sum() / valid.sum().clamp(min=1)


def soft_overlap(
    logits: Tensor, planes: Tensor, valid: Tensor, multiclass: bool
) -> tuple[Tensor, Tensor]:
    """Σ p·t and Σ p + Σ t of each class over all valid pixels of the batch."""
    probabilities = (logits.softmax(dim=1) if multiclass else logits.sigmoid()) * valid
    truth = planes * valid
    axes = (0, 2, 3)
    return (probabilities * truth).sum(axes), probabilities.sum(axes) + truth.sum(axes)
