"""Binary cross-entropy."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from pipeline.config.losses import Bce
from pipeline.models.losses.class_weights import weighted_by_class
from pipeline.models.losses.reduction import mean_of_hardest
from pipeline.models.losses.truth import Truth


def bce(logits: Tensor, truth: Truth, term: Bce) -> Tensor:
    """Binary cross-entropy, averaged over valid pixels and classes."""
    planes = truth.planes
    if term.smoothing:
        planes = planes * (1 - term.smoothing) + term.smoothing / 2
    factor = None if term.pos_weight == 1 else torch.tensor(term.pos_weight, device=logits.device)
    each = F.binary_cross_entropy_with_logits(logits, planes, pos_weight=factor, reduction="none")
    counted = weighted_by_class(truth.valid.expand_as(each), term.class_weights)
    return mean_of_hardest(each * counted, counted, term.topk)
