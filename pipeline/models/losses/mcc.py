"""Matthews correlation coefficient (Abhishek and Hamarneh 2021)."""

from __future__ import annotations

from torch import Tensor

from pipeline.config.losses import Mcc
from pipeline.models.losses.reduction import axes_of, mean_of_classes, soft_sums
from pipeline.models.losses.truth import Truth

_EPSILON = 1e-5
"""Added to each count, so that empty ones divide by no 0."""


def mcc(logits: Tensor, truth: Truth, term: Mcc) -> Tensor:
    """1 − Matthews correlation coefficient of soft counts a class, averaged over classes."""
    overlap, predicted, true = soft_sums(logits, truth, term.batch)
    count = truth.valid.expand_as(logits).sum(axes_of(term.batch))
    tp, fp, fn = overlap + _EPSILON, predicted - overlap + _EPSILON, true - overlap + _EPSILON
    tn = (count - predicted - true + overlap).clamp(min=0) + _EPSILON
    # root by root: the product of four counts has no place in half a range of float32
    spread = ((tp + fp).sqrt() * (tp + fn).sqrt()) * ((tn + fp).sqrt() * (tn + fn).sqrt())
    return mean_of_classes(1 - (tp * tn - fp * fn) / spread, truth)
