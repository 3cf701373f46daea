"""Which post-processing steps help: each is kept only if the nested score gains by it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pipeline.competition.metrics import Metric
from pipeline.ensemble.kernel import blend as blended
from pipeline.ensemble.kernel import decide
from pipeline.ensemble.nested import NestedScore, pool
from pipeline.ensemble.oof import Measures, OofSource
from pipeline.ensemble.postprocess import ChosenStep, Step, apply_steps
from pipeline.ensemble.search import GAIN, Blend
from pipeline.ensemble.threads import ordered

Steps = tuple[ChosenStep, ...]


@dataclass(frozen=True)
class StepTrial:
    """One step that was tried: the value that all maps would choose (None: better without it), by
    how much the nested score rises with it, and whether it was kept.
    """

    name: str
    value: float | None
    gain: float
    kept: bool


@dataclass(frozen=True)
class PostprocessChoice:
    """steps: those kept, with values chosen on all maps; score: tuned, with them; nested: with the
    steps' values chosen fold by fold, in fold_steps; trials: all that was tried, in order.
    """

    steps: Steps
    score: float
    nested: NestedScore
    fold_steps: dict[int, Steps]
    trials: tuple[StepTrial, ...]


def search_postprocess(
    source: OofSource,
    metric: Metric,
    folds: NDArray[np.int64],
    blend: Blend,
    nested: NestedScore,
    steps: Sequence[Step],
) -> PostprocessChoice:
    """Try the steps one after another, each on top of those kept before it.

    blend, nested: what the search made of the same maps; folds: each image's. For the nested score
    a fold's blend is applied to the other folds' images too, to choose the step's value there.
    """
    assert not source.exclusive, "steps act on one class at a time"
    chosen = PostprocessChoice((), blend.score, nested, dict.fromkeys(nested.blends, ()), ())
    for step in steps:
        chosen = _try_step(source, metric, folds, blend, chosen, step)
    return chosen


def _try_step(
    source: OofSource,
    metric: Metric,
    folds: NDArray[np.int64],
    blend: Blend,
    chosen: PostprocessChoice,
    step: Step,
) -> PostprocessChoice:
    blends = chosen.nested.blends
    variants = [(blends[fold], chosen.fold_steps[fold]) for fold in blends]
    *tables, final = _measured(source, metric, [*variants, (blend, chosen.steps)], step)
    fold_steps, parts = {}, {}
    for fold, table in zip(blends, tables, strict=True):
        best = int(np.argmax(metric.aggregate(table[:, folds != fold])))
        fold_steps[fold] = _extended(chosen.fold_steps[fold], step, best)
        parts[fold] = table[best][folds == fold]
    nested = pool(metric, folds, blends, parts)
    scores = metric.aggregate(final)
    best = int(np.argmax(scores))
    gain = nested.score - chosen.nested.score
    kept = best > 0 and gain > GAIN
    value = step.candidates[best - 1] if best else None
    trials = (*chosen.trials, StepTrial(step.name, value, gain, kept))
    if not kept:
        return replace(chosen, trials=trials)
    extended = _extended(chosen.steps, step, best)
    return PostprocessChoice(extended, float(scores[best]), nested, fold_steps, trials)


def _extended(steps: Steps, step: Step, best: int) -> Steps:
    """The steps and, unless row 0 (without it) was best, one more."""
    return (*steps, ChosenStep(step.name, step.candidates[best - 1])) if best else steps


def _measured(
    source: OofSource, metric: Metric, variants: Sequence[tuple[Blend, Steps]], step: Step
) -> Measures:
    """Of each variant without the step and with each of its candidates.

    int64 (variants, 1 + candidates, images, *shape of the measure); every map is read once.
    """

    def measure(id: str) -> Measures:
        maps, truth = source.maps(id), source.truth(id)
        rows = []
        for blend, steps in variants:
            weights = [blend.weights[name] for name in source.names]
            probability = blended(maps, weights, source.mean, threads=1)
            decision = decide(maps, weights, blend.thresholds, mean=source.mean, threads=1)
            decision = apply_steps(decision, probability, steps)
            tried = [step.function(decision, probability, value) for value in step.candidates]
            rows.append([metric.measure(each, truth) for each in (decision, *tried)])
        return np.array(rows)

    return np.stack(list(ordered(measure, source.ids)), axis=2)
