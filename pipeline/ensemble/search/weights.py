"""Weights and thresholds that score best on out-of-fold maps, by the competition's own metric.

Greedy forward selection with replacement (Caruana et al., "Ensemble Selection from Libraries of
Models", ICML 2004), then weight moved between pairs of members while that helps. Thresholds are
chosen again for every trial where that is cheap. The same maps give the same blend: what is drawn
(`sampling`) is drawn by one seed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import Literal

import numpy as np

from pipeline.ensemble.blending.fixed_point import ONE, integer_weights
from pipeline.ensemble.search.given_weights import BlendWeights, given_shares
from pipeline.ensemble.search.oof import Levels, Oof, Shares
from pipeline.ensemble.search.threshold_ascent import ThresholdAscent
from pipeline.ensemble.search.threshold_grid import nearest_levels
from pipeline.metrics import Metric

Thresholds = Literal["search"] | Sequence[float]

ROUNDS = 30
WEIGHT_STEPS = (ONE // 8, ONE // 16, ONE // 32)
NUDGED = 4  # members among which weight is moved on all pixels, after a search on a sample
# Less than this is no gain, so that a search ends.
GAIN = 1e-6
COARSE = 8


@dataclass(frozen=True)
class Blend:
    """weights: by member, summing to 1; thresholds: a class each; score: tuned, on these maps."""

    weights: dict[str, float]
    thresholds: tuple[float, ...]
    score: float


@dataclass(frozen=True)
class Choice:
    """A blend in the search's own terms: integer weights (M,), levels (C,)."""

    shares: Shares
    levels: Levels
    score: float


def search_blend(
    oof: Oof, metric: Metric, weights: BlendWeights = "search", thresholds: Thresholds = "search"
) -> Blend:
    """The blend that scores best; what is given (weights by member, thresholds) stays as it is.

    Given thresholds are moved to the nearest of the grid's.
    """
    return as_blend(oof, search_choice(oof, metric, weights, thresholds))


def as_blend(oof: Oof, choice: Choice) -> Blend:
    """The choice in names and probabilities."""
    shares = (choice.shares / ONE).tolist()
    thresholds = tuple(oof.grid[choice.levels].tolist())
    return Blend(dict(zip(oof.names, shares, strict=True)), thresholds, choice.score)


def search_choice(
    oof: Oof, metric: Metric, weights: BlendWeights, thresholds: Thresholds
) -> Choice:
    """Like `search_blend`, in integers."""
    search = _Search(oof, metric, thresholds)
    if weights != "search":
        return search.finished(search.tried(given_shares(oof.names, weights)))
    if oof.sample is None:
        found = [search.best()]
    else:
        # Few members are left, and few passes over all pixels.
        drawn = [search.tried(each) for each in _found_on(oof.sample.oof, metric, thresholds)]
        found = [search.nudged(max(drawn, key=lambda choice: choice.score)), *drawn]
    # Trials are compared at coarse thresholds, and none of these may win at its own.
    finished = [*map(search.finished, found), *map(search.alone, search.plain())]
    return max(finished, key=lambda choice: choice.score)


def _found_on(sample: Oof, metric: Metric, thresholds: Thresholds) -> list[Shares]:
    """The weights that a search of a sample ends with, and the plainer ones it came by."""
    search = _Search(sample, metric, thresholds)
    begun = search.begun()
    return [search.exchanged(begun).shares, begun.shares]


def scored_at(oof: Oof, metric: Metric, shares: Shares, levels: Levels) -> Choice:
    """The choice of these weights and levels, with its score."""
    score = metric.aggregate(oof.weigh(shares)(levels[None]))[0]
    return Choice(shares, levels, float(score))


class _Search:
    """One search: the maps, the metric, and the thresholds that it starts every trial from."""

    def __init__(self, oof: Oof, metric: Metric, thresholds: Thresholds) -> None:
        self._oof, self._ascent = oof, ThresholdAscent(oof, metric)
        self._free = thresholds == "search"
        self._levels = np.full(oof.classes, oof.start)
        if not isinstance(thresholds, str):
            self._levels = nearest_levels(oof.grid, thresholds, oof.classes)
        self._tried: dict[bytes, Choice] = {}
        if self._free and not oof.sweeps_thresholds:
            measure = oof.weigh(integer_weights(np.ones(len(oof.names))))
            self._levels = self._ascent.from_levels(measure, self._levels, 1, sweeps=1)

    def tried(self, shares: Shares) -> Choice:
        """These weights with the best of a coarse grid of thresholds."""
        key = shares.tobytes()
        if key not in self._tried:
            measure = self._oof.weigh(shares)
            levels = self._levels
            if self._free and self._oof.sweeps_thresholds:
                levels = self._ascent.from_levels(measure, levels, COARSE, sweeps=1)
            self._tried[key] = Choice(shares, levels, self._ascent.score(measure, levels))
        return self._tried[key]

    def finished(self, choice: Choice) -> Choice:
        """The same weights with the best of all thresholds."""
        if not self._free:
            return choice
        measure = self._oof.weigh(choice.shares)
        levels = self._ascent.from_levels(measure, choice.levels, 1, sweeps=10)
        return Choice(choice.shares, levels, self._ascent.score(measure, levels))

    def plain(self) -> list[Shares]:
        """Equal weights, and each member alone."""
        members = len(self._oof.names)
        return [integer_weights(each) for each in (np.ones(members), *np.eye(members))]

    def alone(self, shares: Shares) -> Choice:
        """These weights with the best of all thresholds, in one pass where they were not tried."""
        known = shares.tobytes() in self._tried or not self._free
        begun = self.tried(shares) if known else Choice(shares, self._levels, 0.0)
        return self.finished(begun)

    def best(self) -> Choice:
        """The best weights, of all members."""
        return self.exchanged(self.begun())

    def begun(self) -> Choice:
        """The best of equal weights and of those that adding members finds."""
        simple = [self.tried(shares) for shares in self.plain()]
        return max(simple[0], self.greedy(), key=lambda choice: choice.score)

    def greedy(self) -> Choice:
        """Add, again and again, the member that helps most; stop when none does."""
        counts = np.zeros(len(self._oof.names), np.int64)
        best: Choice | None = None
        for _ in range(ROUNDS):
            trials = [self.tried(integer_weights(counts + one)) for one in np.eye(len(counts))]
            member = int(np.argmax([trial.score for trial in trials]))
            if best is not None and trials[member].score <= best.score + GAIN:
                break
            best = trials[member]
            counts[member] += 1
        assert best is not None
        return best

    def nudged(self, best: Choice) -> Choice:
        """Move a little weight between the heaviest members where that helps, once a pair."""
        heaviest = np.argsort(-best.shares.astype(np.int64), kind="stable")[:NUDGED].tolist()
        for giver, taker in permutations(heaviest, 2):
            best = self._moved(best, giver, taker, WEIGHT_STEPS[-1])
        return best

    def exchanged(self, best: Choice) -> Choice:
        """Move weight from one member to another while that helps, in ever smaller steps."""
        pairs = list(permutations(range(len(best.shares)), 2))
        for step in WEIGHT_STEPS:
            improved = True
            while improved:
                improved = False
                for giver, taker in pairs:
                    before, best = best, self._moved(best, giver, taker, step)
                    improved |= best is not before
        return best

    def _moved(self, best: Choice, giver: int, taker: int, step: int) -> Choice:
        """With so much of a member's weight given to another, where that is better."""
        moved = min(step, int(best.shares[giver]))
        shares = best.shares.astype(np.int64)
        shares[giver] -= moved
        shares[taker] += moved
        trial = self.tried(shares.astype(np.uint32))
        return trial if trial.score > best.score + GAIN else best
