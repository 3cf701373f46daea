"""Scores of pixels. Each takes the statistics of an image, or their sum over images.

Counts are (..., C, 4) as `counts` gives them; a score keeps the leading axes. "Both empty" means
that neither truth nor decision has a valid pixel inside.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pipeline.data.ground_truth import Truth
from pipeline.metrics.counts import (
    FALSE_NEGATIVE,
    FALSE_POSITIVE,
    TRUE_POSITIVE,
    exceeds,
    ratio,
)

Counts = NDArray[np.int64]
Scores = NDArray[np.float64]


def dice(counts: Counts) -> Scores:
    """Dice coefficient 2 TP / (2 TP + FP + FN), mean over the classes of an image.

    Both empty: 1; one empty: 0. The evaluation pages of Severstal, Understanding Clouds and SIIM
    define it so, an (image, class) pair at a time; Carvana's and HuBMAP's have one class.
    """
    return np.asarray(_f_score(counts, beta=1.0).mean(axis=-1))


def iou(counts: Counts) -> Scores:
    """Intersection over union TP / (TP + FP + FN), mean over the classes of an image.

    Both empty: 1; one empty: 0. The Jaccard index, with Dice's rule for empty masks.
    """
    return np.asarray(ratio(*_overlap(counts)).mean(axis=-1))


def tgs(counts: Counts) -> Scores:
    """The share of t = 0.50, 0.55 … 0.95 with IoU > t, mean over the classes of an image.

    Empty truth: 1 if the decision is empty too, else 0. TGS Salt's evaluation page.
    """
    intersection, union = _overlap(counts)
    scores = exceeds(intersection, union).mean(axis=-1)
    return np.asarray(np.where(union == 0, 1.0, scores).mean(axis=-1))


def global_dice(counts: Counts) -> Scores:
    """Dice coefficient of the pixels of all classes (and, over summed counts, images) together.

    Both empty: 1; an empty image by itself adds nothing but its false positives. The evaluation
    page of Google Research – Identify Contrails.
    """
    return fbeta(counts, beta=1.0)


def fbeta(counts: Counts, *, beta: float) -> Scores:
    """F-beta of the pixels of all classes (and images) together; beta < 1 leans to precision.

    Both empty: 1. Vesuvius Ink Detection's evaluation page, with beta 0.5.
    """
    return _f_score(counts.sum(axis=-2), beta)


def mean_iou(counts: Counts) -> Scores:
    """IoU of each class, mean over the classes that truth or decision contain.

    Both empty: the class is left out; all left out: 1. Over summed counts, this is the mean IoU of
    PASCAL VOC's evaluation and CamVid's literature, void pixels left out.
    """
    intersection, union = _overlap(counts)
    present = union > 0
    total = np.where(present, ratio(intersection, union), 0.0).sum(axis=-1)
    return np.where(present.any(axis=-1), total / np.maximum(present.sum(axis=-1), 1), 1.0)


def class_accuracy(counts: Counts) -> Scores:
    """Recall TP / (TP + FN) of each class, mean over the classes that the truth contains.

    Truth empty: 1 if the decision is empty too, else 0. The mean accuracy of Long et al. 2015 and
    the class average of CamVid's literature.
    """
    true = _true(counts)
    total = ratio(counts[..., TRUE_POSITIVE], true).sum(axis=-1, where=true > 0)
    found = total / np.maximum((true > 0).sum(axis=-1), 1)
    return np.where(true.any(axis=-1), found, _is_blank(counts))


def frequency_weighted_iou(counts: Counts) -> Scores:
    """IoU of each class, mean over all classes weighted by how many pixels the truth has of each.

    Truth empty: 1 if the decision is empty too, else 0. Long et al. 2015.
    """
    true = _true(counts)
    total = (true * ratio(*_overlap(counts))).sum(axis=-1)
    found = total / np.maximum(true.sum(axis=-1), 1)
    return np.where(true.any(axis=-1), found, _is_blank(counts))


def _true(counts: Counts) -> Counts:
    return counts[..., TRUE_POSITIVE] + counts[..., FALSE_NEGATIVE]


def _is_blank(counts: Counts) -> NDArray[np.float64]:
    """1 where nothing is decided to be inside, else 0."""
    decided = counts[..., TRUE_POSITIVE] + counts[..., FALSE_POSITIVE]
    return np.where(decided.any(axis=-1), 0.0, 1.0)


def _f_score(counts: Counts, beta: float) -> Scores:
    """(1 + b²) TP / ((1 + b²) TP + b² FN + FP) of counts (..., 4) -> (...); both empty: 1."""
    true_positive, weight = counts[..., TRUE_POSITIVE], beta * beta
    errors = weight * counts[..., FALSE_NEGATIVE] + counts[..., FALSE_POSITIVE]
    return ratio((1 + weight) * true_positive, (1 + weight) * true_positive + errors)


def right_pixels(decision: NDArray[np.bool_] | NDArray[np.int32], truth: Truth) -> Counts:
    """Pixels on which every class is decided rightly, and all valid pixels; int64 (1, 2)."""
    right = ((decision != 0) == truth.planes.view(np.bool_)).all(axis=0)
    if truth.valid is None:
        return np.array([[np.count_nonzero(right), right.size]], np.int64)
    return np.array([[np.count_nonzero(right & truth.valid), np.count_nonzero(truth.valid)]])


def pixel_accuracy(right_and_valid: Counts) -> Scores:
    """The share of valid pixels whose classes are all decided rightly; from `right_pixels`.

    Of multiclass maps the usual pixel accuracy. Empty masks need no rule; no valid pixel: 1.
    """
    return ratio(right_and_valid[..., 0, 0], right_and_valid[..., 0, 1])


def _overlap(counts: Counts) -> tuple[Counts, Counts]:
    """Pixels of intersection and union, counts (..., 4) -> (...), (...)."""
    intersection = counts[..., TRUE_POSITIVE]
    return intersection, intersection + counts[..., FALSE_POSITIVE] + counts[..., FALSE_NEGATIVE]
