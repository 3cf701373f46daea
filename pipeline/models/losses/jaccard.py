"""Soft intersection over union."""

from __future__ import annotations

from torch import Tensor

from pipeline.config.losses import Jaccard
from pipeline.models.losses.reduction import SMOOTH, mean_of_classes, soft_sums
from pipeline.models.losses.truth import Truth


def jaccard(logits: Tensor, truth: Truth, term: Jaccard) -> Tensor:
    """1 − soft IoU a class, averaged over classes."""
    overlap, predicted, true = soft_sums(logits, truth, term.batch)
    total = predicted + true
    return mean_of_classes(1 - (overlap + SMOOTH) / (total - overlap + SMOOTH), truth)
