"""Focal Tversky loss (Abraham and Khan 2019)."""

from __future__ import annotations

import torch
from torch import Tensor

from pipeline.config.losses import FocalTversky
from pipeline.models.losses.reduction import mean_of_classes
from pipeline.models.losses.truth import Truth
from pipeline.models.losses.tversky import tversky_by_class

_LEAST = 1e-7
"""Below, a loss is 0: the slope of a root there is infinite."""


def focal_tversky(logits: Tensor, truth: Truth, term: FocalTversky) -> Tensor:
    """The Tversky loss of each class to the power 1 / γ, averaged over classes."""
    each = tversky_by_class(logits, truth, term)
    raised = each.clamp(min=_LEAST).pow(1 / term.gamma)
    return mean_of_classes(torch.where(each > _LEAST, raised, 0), truth)
