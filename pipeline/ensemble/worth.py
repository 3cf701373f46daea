"""What each member is worth to a blend."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.competition.metrics import Metric
from pipeline.ensemble.fixed import integer_weights
from pipeline.ensemble.oof import Oof
from pipeline.ensemble.search import Blend, Thresholds, search_blend


@dataclass(frozen=True)
class MemberWorth:
    """alone: its score with the best thresholds for it; without: the blend's score when its weight
    is shared among the others (None if there are none); correlation: Pearson's r of its errors and
    the blend's. All on the maps the blend was chosen on.
    """

    name: str
    weight: float
    alone: float
    without: float | None
    correlation: float


def member_worths(
    oof: Oof, metric: Metric, blend: Blend, thresholds: Thresholds = "search"
) -> list[MemberWorth]:
    """A row a member, in the members' order; thresholds as in the search that made the blend."""
    weights = np.array([blend.weights[name] for name in oof.names])
    correlations = oof.error_correlations(integer_weights(weights))

    def score(row: NDArray[np.float64]) -> float:
        given = dict(zip(oof.names, row.tolist(), strict=True))
        return search_blend(oof, metric, given, thresholds).score

    rows = []
    for number, name in enumerate(oof.names):
        own = np.eye(len(weights))[number]
        rest = weights * (1 - own)
        without = score(rest) if rest.any() else None
        rows.append(
            MemberWorth(
                name, float(weights[number]), score(own), without, float(correlations[number])
            )
        )
    return rows
