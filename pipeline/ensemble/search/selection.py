"""One choice on some evidence: which rules for weights and thresholds, and which steps.

All are judged by leaving parts of the same evidence out, so that a caller that holds a fold back
can make the very same choice without it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from pipeline.ensemble.postprocessing.search import Decisions, Steps, StepTrial, search_steps
from pipeline.ensemble.search.evidence import Evidence, Numbers
from pipeline.ensemble.search.oof import Oof
from pipeline.ensemble.search.thresholds import Choices, Rule, scores_of, simplest
from pipeline.ensemble.search.weight_contest import Contest, WeightRule
from pipeline.ensemble.search.weights import Blend, Choice, as_blend
from pipeline.metrics import Metric
from pipeline.metrics.metric import ImageStatistics


@dataclass(frozen=True)
class Chosen:
    """blend, steps: what was chosen, by `rule` for thresholds and `weight_rule` for weights.

    contest: what each rule would have chosen; rule_scores: the nested score of each rule for
    thresholds with the weights that were chosen, and weight_scores: that of each rule for weights
    with its own thresholds; both are empty where no part can be left out. step_trials: the steps
    that were tried, in order.
    """

    blend: Blend
    steps: Steps
    rule: Rule
    weight_rule: WeightRule
    contest: Contest
    rule_scores: dict[Rule, float]
    weight_scores: dict[WeightRule, float]
    step_trials: tuple[StepTrial, ...] = ()

    @property
    def choices(self) -> Choices:
        """What each rule for thresholds would have chosen, with the weights' rule."""
        return self.contest[self.weight_rule]


def choose(
    evidence: Evidence,
    metric: Metric,
    contest: Contest,
    parts: Numbers | None,
    by_part: Mapping[int, Contest],
    decisions: Decisions | None = None,
) -> Chosen:
    """The simplest rules within one standard error of the best, then the steps that help.

    Weights compete with the thresholds that are chosen for each of them. contest: made on all the
    evidence; by_part: without each part. Where there are no parts nothing can be judged: the
    simplest rules, and no steps. decisions: of these images, to try steps on.
    """
    if parts is None:
        weight_rule, choices = next(iter(contest.items()))
        rule, choice = next(iter(choices.items()))
        return Chosen(as_blend(evidence.oof, choice), (), rule, weight_rule, contest, {}, {})
    heats = {
        each: measured_parts(
            evidence.oof, parts, {part: there[each] for part, there in by_part.items()}
        )
        for each in contest
    }
    rules = {each: simplest(metric, evidence.groups, heat) for each, heat in heats.items()}
    final = {each: heat[rules[each]] for each, heat in heats.items()}
    weight_rule = simplest(metric, evidence.groups, final)
    rule = rules[weight_rule]
    blend = as_blend(evidence.oof, contest[weight_rule][rule])
    chosen = Chosen(
        blend,
        (),
        rule,
        weight_rule,
        contest,
        scores_of(metric, heats[weight_rule]),
        scores_of(metric, final),
    )
    if decisions is None:
        return chosen
    blends = {
        part: as_blend(evidence.oof, each[weight_rule][rule]) for part, each in by_part.items()
    }
    steps, trials = search_steps(
        decisions, metric, evidence.groups, parts, blend, blends, final[weight_rule]
    )
    return replace(chosen, steps=steps, step_trials=trials)


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
