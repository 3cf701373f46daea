"""One choice on some evidence: which rule for the thresholds, and which post-processing steps.

Both are judged by leaving parts of the same evidence out, so that a caller that holds a fold back
can make the very same choice without it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from pipeline.ensemble.postprocessing.search import Decisions, Steps, StepTrial, search_steps
from pipeline.ensemble.search.evidence import Evidence, Numbers
from pipeline.ensemble.search.given_weights import BlendWeights
from pipeline.ensemble.search.oof import Oof
from pipeline.ensemble.search.thresholds import Choices, Rule, candidates, simplest
from pipeline.ensemble.search.weights import Blend, Choice, Thresholds, as_blend
from pipeline.metrics import Metric
from pipeline.metrics.metric import ImageStatistics


@dataclass(frozen=True)
class Chosen:
    """blend, steps: what was chosen, by `rule`; choices: what each rule would have chosen.

    rule_scores: the nested score of each rule, empty where no part can be left out; step_trials:
    the steps that were tried, in order.
    """

    blend: Blend
    steps: Steps
    rule: Rule
    choices: Choices
    rule_scores: dict[Rule, float]
    step_trials: tuple[StepTrial, ...] = ()


def choices_without(
    evidence: Evidence, metric: Metric, choices: Choices, thresholds: Thresholds, parts: Numbers
) -> dict[int, Choices]:
    """The thresholds that each rule chooses without each part; the weights stay its own.

    To search for weights without every part of every fold would take as many searches again as
    there are pairs of folds. Weights that have seen a part favour no rule.
    """
    names = evidence.oof.names
    given: dict[Rule, BlendWeights] = {
        rule: dict(zip(names, choice.shares.tolist(), strict=True))
        for rule, choice in choices.items()
    }
    if list(choices) == ["half"]:
        # Its weights and thresholds are the same without any part.
        return dict.fromkeys(np.unique(parts).tolist(), choices)
    return {
        part: candidates(rest, metric, given.__getitem__, thresholds)
        for part, rest in evidence.without_each(parts)
    }


def choose(
    evidence: Evidence,
    metric: Metric,
    choices: Choices,
    parts: Numbers | None,
    by_part: Mapping[int, Choices],
    decisions: Decisions | None = None,
) -> Chosen:
    """The simplest rule within one standard error of the best, then the steps that help it.

    choices: made on all the evidence; by_part: without each part. Where there are no parts nothing
    can be judged: the simplest rule, and no steps. decisions: of these images, to try steps on.
    """
    if parts is None:
        rule, choice = next(iter(choices.items()))
        return Chosen(as_blend(evidence.oof, choice), (), rule, choices, {})
    nested = measured_parts(evidence.oof, parts, by_part)
    rule = simplest(metric, evidence.groups, nested)
    scores = {each: float(metric.aggregate(statistics)) for each, statistics in nested.items()}
    blend = as_blend(evidence.oof, choices[rule])
    chosen = Chosen(blend, (), rule, choices, scores)
    if decisions is None:
        return chosen
    blends = {part: as_blend(evidence.oof, each[rule]) for part, each in by_part.items()}
    steps, trials = search_steps(
        decisions, metric, evidence.groups, parts, blend, blends, nested[rule]
    )
    return Chosen(blend, steps, rule, choices, scores, trials)


def measured_parts(
    oof: Oof, parts: Numbers, by_part: Mapping[int, Choices]
) -> dict[Rule, ImageStatistics]:
    """Of each rule, the statistics of all images, each under what was chosen without its part."""
    found: dict[Rule, ImageStatistics] = {}
    for part, choices in by_part.items():
        rows = np.flatnonzero(parts == part)
        for rule, statistics in measured_choices(oof.select(rows), choices).items():
            if rule not in found:
                found[rule] = np.empty((len(parts), *statistics.shape[1:]), statistics.dtype)
            found[rule][rows] = statistics
    return found


def measured_choices(oof: Oof, choices: Mapping[Rule, Choice]) -> dict[Rule, ImageStatistics]:
    """The statistics of all images under each choice; those of equal weights are blended once."""
    blended, found = {}, {}
    for rule, choice in choices.items():
        key = choice.shares.tobytes()
        if key not in blended:
            blended[key] = oof.weigh(choice.shares)
        found[rule] = blended[key](choice.levels[None])[0]
    return found
