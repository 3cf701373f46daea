"""One probability map from many: views of an image, or folds of a model."""

from __future__ import annotations

import torch
from torch import Tensor

from pipeline.config.choices import Mean

# Probabilities that saturate (exact 0 or 1 in half precision) have no finite logarithm, and one
# such view must not outvote all others: geometric and logit means see them clamped by this much.
EPSILON = 1e-6

CLASS_AXIS = -3


class RunningMerge:
    """The mean of maps that come one after another, holding one float32 sum.

    `arithmetic` averages probabilities, `geometric` their logarithms, `logit` their logits.
    Multiclass maps (a softmax over the classes, axis -3) stay a distribution: their logits are
    log p up to a constant, so `geometric` and `logit` are then the same, softmax(mean(log p)).
    The same maps in another order give the same result up to float32 rounding.
    """

    def __init__(self, kind: Mean, *, multiclass: bool) -> None:
        self._kind = kind
        self._multiclass = multiclass
        self._count = 0
        self._sum: Tensor | None = None

    def add(self, probabilities: Tensor) -> None:
        """Count one more ...CHW map of any float type in 0..1; the tensor itself is left alone."""
        terms = self._transformed(probabilities.to(torch.float32, copy=True))
        self._count += 1
        if self._sum is None:
            self._sum = terms
            return
        assert terms.shape == self._sum.shape, f"{tuple(terms.shape)} != {tuple(self._sum.shape)}"
        self._sum += terms

    def result(self) -> Tensor:
        """The merged float32 ...CHW map in 0..1 of all that was added so far."""
        assert self._sum is not None, "nothing was added"
        average = self._sum / self._count
        if self._kind == "arithmetic":
            return average
        if self._multiclass:
            return average.softmax(CLASS_AXIS)
        return average.exp() if self._kind == "geometric" else average.sigmoid()

    def _transformed(self, probabilities: Tensor) -> Tensor:
        if self._kind == "arithmetic":
            return probabilities
        if self._kind == "logit" and not self._multiclass:
            return torch.logit(probabilities, EPSILON)
        return probabilities.clamp_(min=EPSILON).log_()
