"""The nested score: every choice made without the fold that it is then scored on.

The tuned score is measured on the maps that weights, thresholds and post-processing were chosen
on, so it is optimistic; its difference to the nested score estimates by how much.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pipeline.ensemble.postprocessing.search import Decisions
from pipeline.ensemble.search.entries import Entries, Fold, Weights
from pipeline.ensemble.search.evidence import Evidence, Numbers
from pipeline.ensemble.search.selection import Chosen, choose, measured_choices
from pipeline.ensemble.search.thresholds import Choices
from pipeline.ensemble.search.weight_contest import Contest
from pipeline.ensemble.search.weights import Thresholds
from pipeline.metrics import Metric
from pipeline.metrics.metric import ImageStatistics


@dataclass(frozen=True)
class NestedScore:
    """score: of all folds' images together; fold_scores: of each fold's.

    statistics: int64 (images, *shape of one), in the images' order.
    """

    score: float
    fold_scores: dict[int, float]
    statistics: ImageStatistics


@dataclass(frozen=True)
class SearchOutcome:
    """whole: chosen on all images; by_fold: without each fold (none where there is one fold).

    statistics: of all images under `whole`, and score: theirs, tuned; nested: under `by_fold`.
    """

    whole: Chosen
    by_fold: dict[int, Chosen]
    statistics: ImageStatistics
    score: float
    nested: NestedScore | None

    def chosen(self, fold: Fold) -> Chosen:
        """The choice without a fold, or on all images."""
        return self.whole if fold is None else self.by_fold[fold]


@dataclass(frozen=True)
class Procedure:
    """The rules of choice. decisions: with the steps to try, None where there are none."""

    evidence: Evidence
    metric: Metric
    thresholds: Thresholds = "search"
    decisions: Decisions | None = None

    def run(self, weights: Weights, steps_of: SearchOutcome | None = None) -> SearchOutcome:
        """Choose on all images, and without each fold; score both.

        steps_of: an outcome whose post-processing is taken as it is, instead of trying steps.
        """
        tries = steps_of is None
        evidence, folds = self.evidence, self.evidence.folds
        everything, parts = np.arange(len(folds)), evidence.parts()
        entries = Entries(self.metric, self.thresholds, weights)
        without: dict[int, Contest] = {}
        by_fold: dict[int, Chosen] = {}
        if nested_refusal(folds) is None:
            for fold, rest in evidence.without_each(folds):
                without[fold] = entries.made(rest, fold)
                # A fold's maps are one network's: whether its thresholds suit another network,
                # which made the fold left out, only a second fold could tell.
                judged = without[fold]
                if len(np.unique(rest.folds)) == 1:
                    judged = {each: _simplest(choices) for each, choices in judged.items()}
                chosen = self._inner(rest, folds != fold, judged, entries, tries)
                by_fold[fold] = replace(chosen, contest=without[fold])
        contest = entries.made(evidence, None)
        if without:
            whole = choose(
                evidence, self.metric, contest, parts, without, self._steps(everything, tries)
            )
        else:
            whole = self._inner(evidence, folds == folds, contest, entries, tries)
        if steps_of is not None:
            whole = replace(whole, steps=steps_of.whole.steps)
            by_fold = {f: replace(c, steps=steps_of.by_fold[f].steps) for f, c in by_fold.items()}
        return self._outcome(whole, by_fold)

    def _inner(
        self,
        evidence: Evidence,
        chosen: NDArray[np.bool_],
        contest: Contest,
        entries: Entries,
        tries: bool,
    ) -> Chosen:
        """The choice on some images (chosen: which), judged on these alone."""
        decisions, parts = self._steps(np.flatnonzero(chosen), tries), evidence.parts()
        several = len(contest) > 1 or any(len(choices) > 1 for choices in contest.values())
        if decisions is None and not several:
            parts = None  # there is nothing to judge
        by_part = {} if parts is None else entries.without(evidence, contest, parts)
        return choose(evidence, self.metric, contest, parts, by_part, decisions)

    def _steps(self, rows: Numbers, tries: bool) -> Decisions | None:
        return self.decisions.select(rows) if self.decisions is not None and tries else None

    def _outcome(self, whole: Chosen, by_fold: dict[int, Chosen]) -> SearchOutcome:
        folds = self.evidence.folds
        statistics = self._measured(whole, np.arange(len(folds)))
        parts = {
            fold: self._measured(chosen, np.flatnonzero(folds == fold))
            for fold, chosen in by_fold.items()
        }
        nested = pool(self.metric, folds, parts) if parts else None
        return SearchOutcome(
            whole, by_fold, statistics, float(self.metric.aggregate(statistics)), nested
        )

    def _measured(self, chosen: Chosen, rows: Numbers) -> ImageStatistics:
        """Per-image statistics of these images under a choice."""
        if chosen.steps:
            assert self.decisions is not None, "there are no steps without decisions"
            return self.decisions.select(rows).measured(chosen.blend, chosen.steps)
        choice = {chosen.rule: chosen.choices[chosen.rule]}
        return measured_choices(self.evidence.oof.select(rows), choice)[chosen.rule]


def _simplest(choices: Choices) -> Choices:
    return dict([next(iter(choices.items()))])


def nested_refusal(folds: Numbers) -> str | None:
    """Why there can be no nested score; None if there can."""
    if len(np.unique(folds)) > 1:
        return None
    return "only one fold has OOF maps, so nothing can be chosen without it"


def pool(metric: Metric, folds: Numbers, parts: dict[int, ImageStatistics]) -> NestedScore:
    """One score of the folds' statistics (images of the fold, *shape) together."""
    first = next(iter(parts.values()))
    statistics = np.empty((len(folds), *first.shape[1:]), first.dtype)
    for fold, part in parts.items():
        statistics[folds == fold] = part
    scores = {fold: float(metric.aggregate(part)) for fold, part in parts.items()}
    return NestedScore(float(metric.aggregate(statistics)), scores, statistics)
