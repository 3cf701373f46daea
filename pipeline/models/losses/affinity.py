"""Affinity field loss (Ke et al. 2018), with one size of neighbourhood."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from pipeline.config.losses import Affinity
from pipeline.models.losses.reduction import axes_of, mean_of_classes
from pipeline.models.losses.truth import Truth

_NEIGHBOURS = ((0, 1), (1, 0), (1, 1), (1, -1))
"""Down and right: half of the eight, each of which makes a pair with the pixel, both ways."""
_NEARLY_ONE = 1 - 1e-6


def affinity(logits: Tensor, truth: Truth, term: Affinity) -> Tensor:
    """What neighbours say of a class: alike where the truth is, else apart by a margin.

    Of pixels i and their eight neighbours j at a distance of `size` // 2, KL(j ‖ i) of the two
    probabilities of a class. Its mean over pairs that are on one side of the class, plus the mean
    of max(0, `margin` − KL) over pairs that the true boundary parts; averaged over classes.
    """
    found = logits.new_zeros(4, logits.shape[1])
    on, off = _logarithms(logits, truth)
    for down, right in _NEIGHBOURS:
        shift = down * (term.size // 2), right * (term.size // 2)
        if shift[0] >= logits.shape[2] or abs(shift[1]) >= logits.shape[3]:
            continue
        (on_i, on_j), (off_i, off_j) = _pair(on, shift), _pair(off, shift)
        (inside_i, inside_j), (valid_i, valid_j) = (
            _pair(truth.inside, shift),
            _pair(truth.valid, shift),
        )
        counted, apart = valid_i * valid_j, (inside_i != inside_j).float()
        ahead, back = on_j - on_i, off_j - off_i
        for way in (
            on_j.exp() * ahead + off_j.exp() * back,
            -on_i.exp() * ahead - off_i.exp() * back,
        ):
            found = found + _sums(way, counted, apart, term.margin)
    parted, parted_pairs, alike, alike_pairs = found
    each = parted / parted_pairs.clamp(min=1) + alike / alike_pairs.clamp(min=1)
    return mean_of_classes(each, truth)


def _sums(divergence: Tensor, counted: Tensor, apart: Tensor, margin: float) -> Tensor:
    """4 × C: costs and pairs across boundaries, costs and pairs of one side."""
    across, within = counted * apart, counted * (1 - apart)
    sums = (F.relu(margin - divergence) * across, across, divergence * within, within)
    return torch.stack([each.sum(axes_of(batch=True)) for each in sums])


def _logarithms(logits: Tensor, truth: Truth) -> tuple[Tensor, Tensor]:
    """Of the probability of each class, and of that of not being it."""
    if not truth.multiclass:
        return F.logsigmoid(logits), F.logsigmoid(-logits)
    on = logits.log_softmax(dim=1)
    return on, torch.log1p(-on.exp().clamp(max=_NEARLY_ONE))


def _pair(maps: Tensor, shift: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """The parts of maps in which each pixel and the one that far down and right of it are."""
    down, right = shift
    height, width = maps.shape[2:]
    first, last = max(0, -right), width - max(0, right)
    here = maps[:, :, : height - down, first:last]
    return here, maps[:, :, down:, first + right : last + right]
