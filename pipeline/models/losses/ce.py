"""Cross-entropy over the classes of a multiclass map."""

from __future__ import annotations

from torch import Tensor

from pipeline.models.losses.reduction import mean_of_valid


def ce(logits: Tensor, planes: Tensor, valid: Tensor, multiclass: bool) -> Tensor:
    """Cross-entropy over mutually exclusive classes, averaged over valid pixels."""
    each = -(logits.log_softmax(dim=1) * planes).sum(dim=1, keepdim=True)
    return mean_of_valid(each, valid)
