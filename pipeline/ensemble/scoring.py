"""Scores by fold, and how far they are apart."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pipeline.metrics import Metric
from pipeline.metrics.metric import Measures


def by_fold(metric: Metric, measures: Measures, folds: NDArray[np.int64]) -> dict[int, float]:
    """The metric over the images of each fold."""
    return {
        fold: float(metric.aggregate(measures[folds == fold])) for fold in np.unique(folds).tolist()
    }


def spread(scores: Sequence[float]) -> float | None:
    """The standard deviation over folds (of a sample); None for one fold, which tells of none."""
    return float(np.std(scores, ddof=1)) if len(scores) > 1 else None
