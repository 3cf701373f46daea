"""The content of `ensemble.yaml`: the choice, its scores, and the contribution of every model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.ensemble.recipe import settings_as_yaml, steps_as_yaml
from pipeline.ensemble.scoring import by_fold
from pipeline.ensemble.search.interval import score_interval
from pipeline.ensemble.search.model_value import MemberWorth, difference
from pipeline.ensemble.search.nested import Procedure, SearchOutcome
from pipeline.ensemble.search.oof import Oof
from pipeline.ensemble.search.resampling import Difference
from pipeline.ensemble.search.selection import Chosen
from pipeline.ensemble.search.weights import as_blend
from pipeline.metrics import Metric

SEED = 0


@dataclass(frozen=True)
class Sampling:
    """Of each out-of-fold image its fold and group; and how many groups the test set has."""

    folds: NDArray[np.int64]
    groups: Sequence[str]
    test_groups: int


def facts_of_choice(oof: Oof, chosen: Chosen, classes: Sequence[str]) -> dict[str, Any]:
    """Weights, thresholds and post-processing, and their competitors.

    Rules for weights are named where several competed; the weights of each are those that it has
    with the thresholds' chosen rule.
    """
    rules = {
        rule: {
            "nested": chosen.rule_scores.get(rule),
            "thresholds": dict(zip(classes, as_blend(oof, choice).thresholds, strict=True)),
        }
        for rule, choice in chosen.choices.items()
    }
    tried = [
        {
            "name": each.name,
            "value": each.value,
            **settings_as_yaml(each.settings),
            "gain": each.gain,
            "error": each.error,
        }
        for each in chosen.step_trials
    ]
    return {
        "weights": {name: round(weight, 9) for name, weight in chosen.blend.weights.items()},
        **_facts_of_contest(oof, chosen),
        "thresholds": dict(zip(classes, chosen.blend.thresholds, strict=True)),
        "threshold_rule": chosen.rule,
        "threshold_rules": rules,
        "postprocess": steps_as_yaml(chosen.steps),
        "postprocess_tried": tried,
    }


def _facts_of_contest(oof: Oof, chosen: Chosen) -> dict[str, Any]:
    if len(chosen.contest) == 1:
        return {}
    rules = {
        each: {
            "nested": chosen.weight_scores.get(each),
            "weights": {
                name: round(weight, 9)
                for name, weight in as_blend(oof, choices[chosen.rule]).weights.items()
            },
        }
        for each, choices in chosen.contest.items()
    }
    return {"weight_rule": chosen.weight_rule, "weight_rules": rules}


def facts_of_score(metric: Metric, outcome: SearchOutcome, sampling: Sampling) -> dict[str, Any]:
    """Tuned, nested, their gap, and what a test set of the competition's size may score."""
    nested = outcome.nested
    believed = nested.statistics if nested else outcome.statistics
    interval = score_interval(believed, sampling.groups, metric, sampling.test_groups, SEED)
    return {
        "tuned": outcome.score,
        "nested": nested.score if nested else None,
        "gap": outcome.score - nested.score if nested else None,
        "interval": [interval.low, interval.high],
        "interval_level": interval.level,
        "interval_groups": sampling.test_groups,
        "folds": by_fold(metric, outcome.statistics, sampling.folds),
        "nested_folds": nested.fold_scores if nested else None,
    }


def facts_of_model(
    metric: Metric, worth: MemberWorth, sampling: Sampling, classes: Sequence[str]
) -> dict[str, Any]:
    """The score of a model by itself, of the blend without it, and its contribution."""
    alone, without = worth.alone, worth.without
    return {
        "tuned": alone.score,
        "nested": alone.nested.score if alone.nested else None,
        "folds": by_fold(metric, alone.statistics, sampling.folds),
        "thresholds": dict(zip(classes, alone.whole.blend.thresholds, strict=True)),
        "weight": worth.weight,
        "without": {
            "tuned": without.score if without else None,
            "nested": without.nested.score if without and without.nested else None,
        },
        "worth": _facts_of_difference(worth.worth),
        "error_correlation": worth.correlation,
    }


def facts_of_best_single(
    procedure: Procedure, outcome: SearchOutcome, worths: Sequence[MemberWorth]
) -> dict[str, Any] | None:
    """The model that scores best by itself, nested, and by how much the blend is above it."""
    nested = {each.name: each for each in worths if each.alone.nested is not None}
    if not nested:
        return None
    best = max(nested.values(), key=lambda each: _nested(each.alone))
    above = difference(procedure, outcome, best.alone, SEED)
    return {"model": best.name, "blend_above": _facts_of_difference(above)}


def _nested(outcome: SearchOutcome) -> float:
    return outcome.nested.score if outcome.nested else float("-inf")


def _facts_of_difference(found: Difference | None) -> dict[str, Any] | None:
    if found is None:
        return None
    return {"value": found.value, "interval": [found.low, found.high]}
