"""The competing weights: equal ones, searched ones, some between the two, and the best model alone.

Searched weights are the best on the maps that they were searched on; few images, or models that
are much alike, have many bests by chance. So weights compete as thresholds do: of the rules, from
the simplest on, the first one wins whose nested score is within one standard error of the best
rule's. Simple is what is near equal weights, which take nothing from the maps.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

import numpy as np

from pipeline.ensemble.blending.fixed_point import ONE
from pipeline.ensemble.search.evidence import Evidence
from pipeline.ensemble.search.given_weights import BlendWeights
from pipeline.ensemble.search.thresholds import Choices, Rule, candidates
from pipeline.ensemble.search.weights import Thresholds, search_choice
from pipeline.metrics import Metric

WeightRule = Literal["equal", "quarter", "halfway", "three_quarters", "searched", "single", "given"]
Contest = dict[WeightRule, Choices]
"""By rule for the weights, the simplest first, a choice by rule for the thresholds."""
Contestants = Callable[[Rule], BlendWeights] | Literal["nested"]
"""nested: all the rules compete; else the weights, by rule for the thresholds, that all use."""

TOWARDS_SEARCHED: dict[WeightRule, float] = {
    "equal": 0.0,
    "quarter": 0.25,
    "halfway": 0.5,
    "three_quarters": 0.75,
    "searched": 1.0,
}


def contest_of(
    evidence: Evidence, metric: Metric, weights: Contestants, thresholds: Thresholds
) -> Contest:
    """The choices of all rules, made on this evidence."""

    def choices(given: Mapping[Rule, BlendWeights]) -> Choices:
        return candidates(evidence, metric, given.__getitem__, thresholds)

    if weights != "nested":
        return {"given": candidates(evidence, metric, weights, thresholds)}
    names = evidence.oof.names
    searched = candidates(evidence, metric, lambda rule: "search", thresholds)
    if len(names) == 1:
        return {"equal": searched}
    between: Contest = {
        rule: searched if share == 1 else choices(_towards(names, searched, share))
        for rule, share in TOWARDS_SEARCHED.items()
    }
    best = _best_single(evidence, metric, thresholds)
    return {**between, "single": choices(dict.fromkeys(searched, best))}


def _towards(
    names: tuple[str, ...], searched: Choices, share: float
) -> dict[Rule, dict[str, float]]:
    """The weights that lie at `share` of the way from equal to searched ones."""
    return {
        rule: dict(
            zip(
                names,
                ((1 - share) / len(names) + share * choice.shares / ONE).tolist(),
                strict=True,
            )
        )
        for rule, choice in searched.items()
    }


def _best_single(evidence: Evidence, metric: Metric, thresholds: Thresholds) -> dict[str, float]:
    """All weight for the model that scores best by itself."""
    names = evidence.oof.names
    alone = [dict(zip(names, row.tolist(), strict=True)) for row in np.eye(len(names))]
    scores = [search_choice(evidence.oof, metric, each, thresholds).score for each in alone]
    return alone[int(np.argmax(scores))]
