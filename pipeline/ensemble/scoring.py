"""Scores by fold, and their spread."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pipeline.metrics import Metric
from pipeline.metrics.metric import ImageStatistics


def by_fold(
    metric: Metric, statistics: ImageStatistics, folds: NDArray[np.int64]
) -> dict[int, float]:
    """The metric over the images of each fold."""
    return {
        fold: float(metric.aggregate(statistics[folds == fold]))
        for fold in np.unique(folds).tolist()
    }


def spread(scores: Sequence[float]) -> float | None:
    """The standard deviation over folds (of a sample); None for one fold, which tells of none."""
    return float(np.std(scores, ddof=1)) if len(scores) > 1 else None
