"""The losses by name; one is added by one file and one line of `LOSSES`.

Each takes logits (N, C, H, W), the true planes (float 0/1, N, C, H, W), `valid` (float 0/1,
N, 1, H, W; 0 where a pixel is void) and whether the classes exclude each other (softmax) or not
(sigmoid); each gives a scalar.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from pipeline.models.losses.bce import bce
from pipeline.models.losses.ce import ce
from pipeline.models.losses.dice import dice
from pipeline.models.losses.focal import focal
from pipeline.models.losses.jaccard import jaccard

Loss = Callable[[Tensor, Tensor, Tensor, bool], Tensor]

LOSSES: dict[str, Loss] = {
    "bce": bce,
    "ce": ce,
    "dice": dice,
    "focal": focal,
    "jaccard": jaccard,
}


def weighted_loss(
    weights: Mapping[str, float], logits: Tensor, planes: Tensor, valid: Tensor, multiclass: bool
) -> Tensor:
    """The weighted sum of named losses, computed in float32 whatever the logits came in."""
    logits = logits.float()
    terms = [
        weight * LOSSES[name](logits, planes, valid, multiclass) for name, weight in weights.items()
    ]
    return torch.stack(terms).sum()
