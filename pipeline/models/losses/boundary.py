"""Boundary loss (Kervadec et al. 2019)."""

from __future__ import annotations

from torch import Tensor

from pipeline.config.losses import LossTerm
from pipeline.models.losses.reduction import mean_of_valid, probabilities_of
from pipeline.models.losses.truth import Truth


def boundary(logits: Tensor, truth: Truth, term: LossTerm) -> Tensor:
    """Probabilities times signed distances to the true boundary, averaged over valid pixels.

    Below 0 where the prediction is right. Classes without a boundary in a crop add nothing.
    """
    each = probabilities_of(logits, truth) * truth.signed_distances
    return mean_of_valid(each, truth.valid.expand_as(each))
