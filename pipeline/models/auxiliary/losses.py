"""The losses of auxiliary outputs. Each is a mean over what is known, 0 where nothing is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from pipeline.config.auxiliary import AuxiliaryOutput, ColumnOutput, DeepSupervision, MapOutput
from pipeline.models.auxiliary.target import TOP, UNKNOWN
from pipeline.models.losses.truth import Truth

MaskLoss = Callable[[Tensor, Truth], Tensor]


def deep_supervision(levels: Sequence[Tensor], truth: Truth, loss: MaskLoss) -> Tensor:
    """The mean of a loss of masks over levels; each counts half of the finer one before it.

    levels: logits N × C × h × w. The truth of a pixel of a level is the mean over the valid
    pixels that it covers, and it is valid where at least half of these are.
    """
    each = [loss(logits, level_truth(truth, logits)) for logits in levels]
    shares = [2.0**-number for number in range(len(each))]
    return torch.stack([share * one for share, one in zip(shares, each, strict=True)]).sum() / sum(
        shares
    )


def level_truth(truth: Truth, logits: Tensor) -> Truth:
    """The truth at the size of a level, whose pixels are squares from the top left.

    A level may reach beyond the truth, by what images are padded with: there is nothing valid.
    """
    height, width = logits.shape[2:]
    side = max(
        -(-truth.valid.shape[2] // height), -(-truth.valid.shape[3] // width)
    )  # exact where nothing is padded
    side = 1 << (side - 1).bit_length()
    bottom, right = height * side - truth.valid.shape[2], width * side - truth.valid.shape[3]
    valid = F.avg_pool2d(F.pad(truth.valid, (0, right, 0, bottom)), side)
    planes = F.avg_pool2d(F.pad(truth.counted, (0, right, 0, bottom)), side)
    known = (valid >= 0.5).float()
    return Truth(planes / valid.clamp(min=1e-6) * known, known, truth.multiclass)


def map_loss(logits: Tensor, target: Tensor) -> Tensor:
    """Cross-entropy above that of a perfect output, averaged over the pixels that are known.

    target: uint8 N×C×H×W, 0..TOP for 0..1, or UNKNOWN.
    """
    known = (target != UNKNOWN).float()
    wanted = (target.float() / TOP).clamp(max=1)
    return _mean(_divergence(logits.float(), wanted), known)


def presence_loss(logits: Tensor, target: Tensor) -> Tensor:
    """The same of images; target: float N×C of 0..1, NaN where it is not known."""
    known = (~target.isnan()).float()
    return _mean(_divergence(logits.float(), target.nan_to_num()), known)


def regression_loss(numbers: Tensor, target: Tensor) -> Tensor:
    """Smooth L1; target: float N, standardised, NaN where it is not known."""
    known = (~target.isnan()).float()
    each = F.smooth_l1_loss(numbers[:, 0].float(), target.nan_to_num(), reduction="none")
    return _mean(each, known)


def classification_loss(scores: Tensor, target: Tensor) -> Tensor:
    """Cross-entropy; target: float N, the number of the class, NaN where it is not known."""
    known = (~target.isnan()).float()
    classes = target.nan_to_num().long()
    return _mean(F.cross_entropy(scores.float(), classes, reduction="none"), known)


def target_loss(output: AuxiliaryOutput) -> Callable[[Any, Tensor], Tensor]:
    """The loss of an output that has a target of its own."""
    assert not isinstance(output, DeepSupervision)
    if isinstance(output, MapOutput):
        return map_loss
    if isinstance(output, ColumnOutput):
        return regression_loss if output.as_ == "regression" else classification_loss
    return presence_loss


def known_in(output: AuxiliaryOutput, target: Tensor) -> int:
    """How many values of a target are known."""
    known = target != UNKNOWN if isinstance(output, MapOutput) else ~target.isnan()
    return int(known.sum())


def _divergence(logits: Tensor, wanted: Tensor) -> Tensor:
    """Binary cross-entropy minus the entropy of what is wanted: 0 is the best there is."""
    entropy = -torch.special.xlogy(wanted, wanted) - torch.special.xlogy(1 - wanted, 1 - wanted)
    costs = F.binary_cross_entropy_with_logits(logits, wanted, reduction="none")
    divergence: Tensor = costs - entropy
    return divergence


def _mean(each: Tensor, known: Tensor) -> Tensor:
    return (each * known).sum() / known.sum().clamp(min=1)
