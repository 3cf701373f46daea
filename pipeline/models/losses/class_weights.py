"""Weights of classes, as factors of pixels."""

from __future__ import annotations

from torch import Tensor

from pipeline.config.losses import ClassWeights


def weighted_by_class(planes: Tensor, weights: ClassWeights | None) -> Tensor:
    """N×C×H×W, each class times its weight; weights are a tuple by now (`loss_terms.resolved`)."""
    if weights is None:
        return planes
    assert isinstance(weights, tuple), "weights by name are resolved before they come here"
    return planes * planes.new_tensor(weights)[:, None, None]
