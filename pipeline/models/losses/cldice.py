"""Soft centreline Dice (Shit et al. 2021)."""

from __future__ import annotations

import torch
from torch import Tensor

from pipeline.config.losses import ClDice
from pipeline.models.losses.morphology import dilate, erode
from pipeline.models.losses.reduction import (
    SMOOTH,
    axes_of,
    mean_of_classes,
    probabilities_of,
)
from pipeline.models.losses.truth import Truth


def cldice(logits: Tensor, truth: Truth, term: ClDice) -> Tensor:
    """1 − the harmonic mean of how much of each one's skeleton the other covers, over classes."""
    axes, true = axes_of(term.batch), truth.counted
    probabilities = probabilities_of(logits, truth) * truth.valid
    predicted_lines = soft_skeleton(probabilities, term.iterations)
    with torch.no_grad():
        true_lines = soft_skeleton(true, term.iterations)
    precision = _share(predicted_lines * true, predicted_lines, axes)
    sensitivity = _share(true_lines * probabilities, true_lines, axes)
    each = 1 - 2 * precision * sensitivity / (precision + sensitivity)
    return mean_of_classes(each, truth)


def soft_skeleton(planes: Tensor, iterations: int) -> Tensor:
    """What opening takes away from planes (N×C×H×W of 0..1), and from what erosions leave."""
    eroded = erode(planes)
    skeleton = (planes - dilate(eroded)).relu()
    for _ in range(iterations):
        planes, eroded = eroded, erode(eroded)
        more = (planes - dilate(eroded)).relu()
        skeleton = skeleton + (more - skeleton * more).relu()
    return skeleton


def _share(covered: Tensor, lines: Tensor, axes: tuple[int, ...]) -> Tensor:
    return (covered.sum(axes) + SMOOTH) / (lines.sum(axes) + SMOOTH)
