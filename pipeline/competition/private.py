"""Scores a submission file against test masks, as a competition's host would."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from pipeline.competition import rle
from pipeline.competition.images import decode_values, read_bytes
from pipeline.competition.masks import table_key
from pipeline.competition.metrics import get_metric
from pipeline.competition.submission import read_submission
from pipeline.competition.truth import Truth
from pipeline.config import Experiment


def private_score(submission: Path, masks: Mapping[str, Path], experiment: Experiment) -> float:
    """The metric of a one-class, row-an-image submission; masks: by id, non-zero inside."""
    settings = experiment.submission
    sent = dict(read_submission(submission))
    metric = get_metric(experiment.ensemble.metric_name, **experiment.ensemble.metric_options)
    measures = []
    for sample_id, path in masks.items():
        values = decode_values(read_bytes(path), path)
        text = sent[table_key(settings.key, sample_id, "")]
        text = "" if text == settings.empty else text
        decision = rle.decode(text, values.shape, settings.order, relative=settings.relative)
        truth = Truth(np.asarray(values != 0)[None].view(np.uint8))
        measures.append(metric.measure(decision[None], truth))
    return float(metric.aggregate(np.stack(measures)))
