"""The contribution of each model to a blend: its own score, and the blend without it.

Every row is treated alike: its thresholds compete as the blend's do, tuned and nested, and the
post-processing is the blend's own, fold by fold.
"""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.ensemble.blending.fixed_point import integer_weights
from pipeline.ensemble.search.entries import Fold, WeightsOf
from pipeline.ensemble.search.nested import Procedure, SearchOutcome
from pipeline.ensemble.search.resampling import Difference, paired_difference
from pipeline.ensemble.search.thresholds import Rule

Key = tuple[tuple[float, ...], ...]  # the weights for each fold left out and rule


@dataclass(frozen=True)
class MemberWorth:
    """alone: the member by itself; without: the blend when its weight is shared among the others in
    proportion (equally, where they have none), None if there are none; worth: the blend's nested
    score less that without it; correlation: Pearson's r of its errors and the blend's.
    """

    name: str
    weight: float
    alone: SearchOutcome
    without: SearchOutcome | None
    worth: Difference | None
    correlation: float


def member_worths(procedure: Procedure, blend: SearchOutcome, seed: int) -> list[MemberWorth]:
    """A row a member, in the members' order. blend: what the procedure chose."""
    oof = procedure.evidence.oof
    weights = blend.whole.blend.weights
    correlations = oof.error_correlations(integer_weights([weights[name] for name in oof.names]))
    rows, known = [], dict[Key, SearchOutcome]()
    several = len(oof.names) > 1  # a single one is the blend
    for name, correlation in zip(oof.names, correlations.tolist(), strict=True):
        alone = procedure.run(_only(oof.names, name), blend) if several else blend
        without = _without(procedure, blend, name, known) if several else None
        worth = difference(procedure, blend, without, seed) if without else None
        rows.append(MemberWorth(name, weights[name], alone, without, worth, correlation))
    return rows


def difference(
    procedure: Procedure, blend: SearchOutcome, other: SearchOutcome, seed: int
) -> Difference | None:
    """The blend's nested score less the other's, paired by group; None where it is not nested."""
    if blend.nested is None or other.nested is None:
        return None
    pair = blend.nested.statistics, other.nested.statistics
    return paired_difference(procedure.metric, *pair, procedure.evidence.groups, seed)


def _only(names: tuple[str, ...], name: str) -> WeightsOf:
    weights = {each: float(each == name) for each in names}
    return lambda fold, rule: weights


def _without(
    procedure: Procedure, blend: SearchOutcome, name: str, known: dict[Key, SearchOutcome]
) -> SearchOutcome:
    """What is known is not run again: without each member of no weight, the blend is the same."""
    names = procedure.evidence.oof.names

    def weights(fold: Fold, rule: Rule) -> dict[str, float]:
        shares = blend.chosen(fold).choices[rule].shares.tolist()
        rest = {each: float(share) for each, share in zip(names, shares, strict=True)}
        rest[name] = 0.0
        if any(rest.values()):
            return rest
        return {each: float(each != name) for each in names}

    key = tuple(
        tuple(weights(fold, rule).values())
        for fold in (None, *blend.by_fold)
        for rule in blend.chosen(fold).choices
    )
    if key not in known:
        known[key] = procedure.run(weights, blend)
    return known[key]
