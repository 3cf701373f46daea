"""Scores a submission against test masks, as a competition's host would."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from pipeline.config import Experiment
from pipeline.data.ground_truth import Truth
from pipeline.data.images import read_bytes
from pipeline.data.masks.one_class import decode_inside
from pipeline.metrics import metric_of
from pipeline.submission.registry import plan_submission


def private_score(submission: Path, masks: Mapping[str, Path], experiment: Experiment) -> float:
    """The metric of a submission of one class; masks: by id, non-zero inside.

    DataError where the submission lacks an image, or does not say its mask.
    """
    inside = {each: decode_inside(read_bytes(path), path) for each, path in masks.items()}
    sizes = {each: (mask.shape[0], mask.shape[1]) for each, mask in inside.items()}
    planned = plan_submission(experiment, list(masks))
    metric = metric_of(experiment.metric)
    measures = [
        metric.measure(decision, Truth(inside[each][None].view(np.uint8)))
        for each, decision in planned.read(submission, sizes.__getitem__)
    ]
    return float(metric.aggregate(np.stack(measures)))
