"""Cross-entropy over the classes of a multiclass map."""

from __future__ import annotations

from torch import Tensor

from pipeline.config.losses import Ce
from pipeline.models.losses.class_weights import weighted_by_class
from pipeline.models.losses.reduction import mean_of_hardest
from pipeline.models.losses.truth import Truth


def ce(logits: Tensor, truth: Truth, term: Ce) -> Tensor:
    """Cross-entropy over mutually exclusive classes, averaged over valid pixels."""
    planes, counted = truth.planes, truth.valid
    if term.class_weights is not None:
        weights = weighted_by_class(planes, term.class_weights)
        counted = weights.sum(dim=1, keepdim=True) * counted
    if term.smoothing:
        planes = planes * (1 - term.smoothing) + term.smoothing / planes.shape[1]
    parts = weighted_by_class(logits.log_softmax(dim=1) * planes, term.class_weights)
    costs = -parts.sum(dim=1, keepdim=True) * truth.valid
    return mean_of_hardest(costs, counted, term.topk)
