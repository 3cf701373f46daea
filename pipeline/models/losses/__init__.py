"""The losses by name; one is added by one file and one line of `LOSSES`.

Each takes logits (float32, N×C×H×W), what they should be (`truth.Truth`), and its term of
`train.loss`, which has its parameters; each gives a scalar. A loss with parameters has a block in
`pipeline.config.losses` too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

from pipeline.config.losses import LossTerm
from pipeline.models.losses.affinity import affinity
from pipeline.models.losses.bce import bce
from pipeline.models.losses.boundary import boundary
from pipeline.models.losses.boundary_dou import boundary_dou
from pipeline.models.losses.ce import ce
from pipeline.models.losses.cldice import cldice
from pipeline.models.losses.dice import dice
from pipeline.models.losses.focal import focal
from pipeline.models.losses.focal_tversky import focal_tversky
from pipeline.models.losses.hausdorff import hausdorff
from pipeline.models.losses.jaccard import jaccard
from pipeline.models.losses.lovasz import lovasz
from pipeline.models.losses.mcc import mcc
from pipeline.models.losses.skeleton_recall import skeleton_recall
from pipeline.models.losses.truth import Truth
from pipeline.models.losses.tversky import tversky

Loss = Callable[[Tensor, Truth, Any], Tensor]

LOSSES: dict[str, Loss] = {
    "bce": bce,
    "ce": ce,
    "focal": focal,
    "dice": dice,
    "jaccard": jaccard,
    "tversky": tversky,
    "focal_tversky": focal_tversky,
    "lovasz": lovasz,
    "mcc": mcc,
    "boundary": boundary,
    "boundary_dou": boundary_dou,
    "hausdorff": hausdorff,
    "cldice": cldice,
    "skeleton_recall": skeleton_recall,
    "affinity": affinity,
}


def weighted_loss(terms: Iterable[LossTerm], logits: Tensor, truth: Truth) -> Tensor:
    """The weighted sum of terms, computed in float32 whatever the logits came in."""
    logits = logits.float()
    each = [term.weight * LOSSES[term.name](logits, truth, term) for term in terms]
    return torch.stack(each).sum()
