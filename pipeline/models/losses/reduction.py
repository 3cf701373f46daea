"""Probabilities, sums and means for losses that ignore void pixels."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from pipeline.models.losses.truth import Truth

SMOOTH = 1.0
"""Added to both sides of a ratio of pixels, so that an empty mask predicted empty costs nothing."""
TINY = 1e-12


class Sums(NamedTuple):
    """Of each class over valid pixels: C over the batch, or N×C of each image.

    overlap: Σ p·t; predicted: Σ p; true: Σ t.
    """

    overlap: Tensor
    predicted: Tensor
    true: Tensor


def probabilities_of(logits: Tensor, truth: Truth) -> Tensor:
    """N×C×H×W of 0..1."""
    return logits.softmax(dim=1) if truth.multiclass else logits.sigmoid()


def axes_of(batch: bool) -> tuple[int, ...]:
    """The axes of N×C×H×W over which a class is summed: in the whole batch, or in an image."""
    return (0, 2, 3) if batch else (2, 3)


def soft_sums(logits: Tensor, truth: Truth, batch: bool) -> Sums:
    """The sums that losses of regions are made of."""
    probabilities = probabilities_of(logits, truth) * truth.valid
    axes = axes_of(batch)
    return Sums(
        (probabilities * truth.counted).sum(axes),
        probabilities.sum(axes),
        truth.counted.sum(axes),
    )


def mean_of_valid(each: Tensor, counted: Tensor) -> Tensor:
    """The mean of `each` weighted by `counted` (of the same shape; 0/1, or weights of at least 0).

    0 where nothing counts.
    """
    return (each * counted).sum() / counted.sum().clamp(min=TINY)


def mean_of_hardest(costs: Tensor, counted: Tensor, share: float) -> Tensor:
    """Σ costs / Σ counted over the pixels with the largest costs: a share of those that count.

    costs: ≥ 0, multiplied by their weights; counted: the weights, 0 where a pixel does not count.
    At least one pixel is taken; 0 where nothing counts.
    """
    if share == 1:
        return costs.sum() / counted.sum().clamp(min=TINY)
    costs, counted = costs.flatten(), counted.flatten()
    present = (counted > 0).sum()
    number = (share * present).round().clamp(min=1).minimum(present)
    most = min(len(costs), round(share * len(costs)) + 1)
    hardest, places = costs.masked_fill(counted == 0, -1).topk(most)
    chosen = torch.arange(most, device=costs.device) < number
    return (hardest * chosen).sum() / (counted[places] * chosen).sum().clamp(min=TINY)


def mean_of_classes(each: Tensor, truth: Truth) -> Tensor:
    """The mean of a loss of classes (C), or of images and classes (N×C).

    Images without a valid pixel are left out; 0 where there is no valid pixel at all.
    """
    counts = truth.valid.flatten(1).amax(dim=1)
    if each.ndim == 1:
        return each.mean() * counts.amax()
    return (each.mean(dim=1) * counts).sum() / counts.sum().clamp(min=1)
