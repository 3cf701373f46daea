"""Skeleton recall (Kirchhoff et al. 2024)."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from pipeline.config.losses import SkeletonRecall
from pipeline.models.losses.reduction import (
    SMOOTH,
    axes_of,
    mean_of_classes,
    probabilities_of,
)
from pipeline.models.losses.truth import Truth


def skeleton_recall(logits: Tensor, truth: Truth, term: SkeletonRecall) -> Tensor:
    """1 − the share of the widened true skeleton that is predicted, averaged over classes.

    The skeleton stays inside of its class. It says nothing of false positives.
    """
    axes = axes_of(term.batch)
    wide = F.max_pool2d(truth.skeletons, 2 * term.tube + 1, stride=1, padding=term.tube)
    tubes = wide * truth.inside
    covered = (probabilities_of(logits, truth) * tubes).sum(axes)
    return mean_of_classes(1 - (covered + SMOOTH) / (tubes.sum(axes) + SMOOTH), truth)
