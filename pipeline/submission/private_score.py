"""Scores a submission file against test masks, as a competition's host would."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from pipeline.config import Experiment
from pipeline.data import rle
from pipeline.data.ground_truth import Truth
from pipeline.data.images import read_bytes
from pipeline.data.masks.one_class import decode_inside
from pipeline.data.row_keys import table_key
from pipeline.errors import DataError
from pipeline.metrics import metric_of
from pipeline.submission.table import read_submission


def private_score(submission: Path, masks: Mapping[str, Path], experiment: Experiment) -> float:
    """The metric of a one-class, row-an-image submission; masks: by id, non-zero inside."""
    settings = experiment.submission
    sent = dict(read_submission(submission))
    metric = metric_of(experiment.metric)
    measures = []
    for sample_id, path in masks.items():
        inside = decode_inside(read_bytes(path), path)
        key, _ = table_key(settings, sample_id, "")
        if key not in sent:
            raise DataError(f"{submission} has no line {key!r}")
        text = "" if sent[key] == settings.empty else sent[key]
        size = (inside.shape[0], inside.shape[1])
        decision = rle.decode(text, size, settings.order, relative=settings.relative)
        measures.append(metric.measure(decision[None], Truth(inside[None].view(np.uint8))))
    return float(metric.aggregate(np.stack(measures)))
