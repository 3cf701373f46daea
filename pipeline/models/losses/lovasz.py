"""Lovász extension of the IoU (Berman et al. 2018): hinge for sigmoid, softmax for multiclass."""

from __future__ import annotations

import torch
from torch import Tensor

from pipeline.config.losses import Lovasz
from pipeline.models.losses.reduction import mean_of_classes
from pipeline.models.losses.truth import Truth


def lovasz(logits: Tensor, truth: Truth, term: Lovasz) -> Tensor:
    """The Lovász loss a class; softmax: averaged over the classes that are in the truth.

    Soft truth is cut at one half: the order of errors is defined for hard truth.
    """
    inside = truth.inside
    if truth.multiclass:
        errors = (inside - logits.softmax(dim=1)).abs()
    else:
        errors = 1 - logits * (2 * inside - 1)
    errors = errors.masked_fill(truth.valid == 0, -1)  # last or without loss, so it counts nowhere
    if term.batch:
        errors, inside = _over_batch(errors), _over_batch(inside)
    each = _extension(errors.flatten(2), inside.flatten(2))
    if not truth.multiclass:
        return mean_of_classes(each[0] if term.batch else each, truth)
    present = inside.flatten(2).amax(dim=2)
    means = (each * present).sum(dim=1) / present.sum(dim=1).clamp(min=1)
    return means.sum() / present.amax(dim=1).sum().clamp(min=1)


def _over_batch(planes: Tensor) -> Tensor:
    """1×C×(N·H)×W: the batch as one image."""
    return planes.transpose(0, 1).flatten(1, 2)[None]


def _extension(errors: Tensor, inside: Tensor) -> Tensor:
    """N×C×pixels → N×C: Σ of the falling errors times the growth of the Jaccard loss."""
    errors, order = errors.sort(dim=2, descending=True)
    found = inside.gather(2, order).cumsum(dim=2, dtype=torch.int32)
    total = found[..., -1:]
    rank = torch.arange(1, errors.shape[2] + 1, dtype=torch.int32, device=errors.device)
    jaccard = 1 - (total - found).float() / (total + rank - found).float()
    growth = torch.diff(jaccard, dim=2, prepend=torch.zeros_like(jaccard[..., :1]))
    return (errors.relu() * growth).sum(dim=2)
