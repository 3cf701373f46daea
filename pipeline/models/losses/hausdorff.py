"""Hausdorff distance by distance transforms (Karimi and Salcudean 2019)."""

from __future__ import annotations

from torch import Tensor

from pipeline.config.losses import Hausdorff
from pipeline.models.losses.reduction import mean_of_valid, probabilities_of
from pipeline.models.losses.truth import Truth


def hausdorff(logits: Tensor, truth: Truth, term: Hausdorff) -> Tensor:
    """Squared errors times distances^α to both boundaries, averaged over valid pixels."""
    probabilities = probabilities_of(logits, truth)
    reach = truth.distances.pow(term.alpha)
    if not term.one_sided:
        reach = reach + truth.predicted_distances(probabilities).pow(term.alpha)
    each = (probabilities - truth.planes).square() * reach
    return mean_of_valid(each, truth.valid.expand_as(each))
