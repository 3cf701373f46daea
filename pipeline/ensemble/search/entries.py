"""The contests that a nested choice is made of: without each fold, and each part of the rest."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from pipeline.ensemble.search.evidence import Evidence, Numbers
from pipeline.ensemble.search.given_weights import BlendWeights
from pipeline.ensemble.search.thresholds import Rule
from pipeline.ensemble.search.weight_contest import Contest, contest_of
from pipeline.ensemble.search.weights import Thresholds
from pipeline.metrics import Metric

Fold = int | None  # which one is left out; None: all images are used
WeightsOf = Callable[[Fold, Rule], BlendWeights]
Weights = WeightsOf | Literal["nested"]
"""Those to use or how to find them, for a rule and the fold left out; nested: they compete."""


@dataclass(frozen=True)
class Entries:
    """What competes. known: contests of whole folds, by the folds: what is left without a fold and
    without another one is the same either way round, and searched once.
    """

    metric: Metric
    thresholds: Thresholds
    weights: Weights
    known: dict[frozenset[int], Contest] = field(default_factory=dict)

    def made(self, evidence: Evidence, fold: Fold) -> Contest:
        """The choices of all rules on this evidence, which is without `fold`."""
        weights = self.weights
        if weights == "nested":
            return self._nested(evidence)
        return contest_of(evidence, self.metric, lambda rule: weights(fold, rule), self.thresholds)

    def without(self, evidence: Evidence, contest: Contest, parts: Numbers) -> dict[int, Contest]:
        """What the same rules choose without each part of the evidence.

        Weights that compete are searched anew. Where they do not they stay as they are: that would
        take as many searches again as there are pairs of folds, and weights that have seen a part
        favour no rule for thresholds.
        """
        if self.weights != "nested":
            return self._thresholds_without(evidence, contest, parts)
        whole = parts is evidence.folds
        made = {
            part: self._nested(rest) if whole else self._searched(rest)
            for part, rest in evidence.without_each(parts)
        }
        return {part: _only(each, contest) for part, each in made.items()}

    def _nested(self, evidence: Evidence) -> Contest:
        folds = frozenset(np.unique(evidence.folds).tolist())
        if folds not in self.known:
            self.known[folds] = self._searched(evidence)
        return self.known[folds]

    def _searched(self, evidence: Evidence) -> Contest:
        return contest_of(evidence, self.metric, "nested", self.thresholds)

    def _thresholds_without(
        self, evidence: Evidence, contest: Contest, parts: Numbers
    ) -> dict[int, Contest]:
        choices = contest["given"]
        if list(choices) == ["half"]:
            # Its weights and thresholds are the same without any part.
            return dict.fromkeys(np.unique(parts).tolist(), contest)
        names = evidence.oof.names
        given: dict[Rule, BlendWeights] = {
            rule: dict(zip(names, choice.shares.tolist(), strict=True))
            for rule, choice in choices.items()
        }
        return {
            part: contest_of(rest, self.metric, given.__getitem__, self.thresholds)
            for part, rest in evidence.without_each(parts)
        }


def _only(made: Contest, wanted: Contest) -> Contest:
    """The choices of the rules that are wanted."""
    return {each: {rule: made[each][rule] for rule in choices} for each, choices in wanted.items()}
