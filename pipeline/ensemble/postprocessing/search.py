"""Selects post-processing steps; each is kept only if the nested score gains significantly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache

import numpy as np

from pipeline.ensemble.blending.kernel import blend as blended
from pipeline.ensemble.blending.kernel import decide
from pipeline.ensemble.blending.threads import ordered
from pipeline.ensemble.outputs import Outputs, by_label
from pipeline.ensemble.postprocessing.registry import apply_steps
from pipeline.ensemble.postprocessing.step import ChosenStep, Settings, Step
from pipeline.ensemble.postprocessing.view import View
from pipeline.ensemble.search.evidence import Numbers
from pipeline.ensemble.search.oof import OofSource
from pipeline.ensemble.search.resampling import paired_error
from pipeline.ensemble.search.weights import GAIN, Blend
from pipeline.metrics import Metric
from pipeline.metrics.metric import ImageStatistics

Steps = tuple[ChosenStep, ...]
Key = tuple[str, tuple[float, ...], tuple[float, ...], Steps]


@dataclass(frozen=True)
class StepTrial:
    """One step that was tried: the value that all maps would choose (None: better without it), by
    how much the nested score rises with it, that gain's standard error, and whether it was kept;
    settings: those of the value.
    """

    name: str
    value: float | None
    gain: float
    error: float
    kept: bool
    settings: Settings = ()


@dataclass(frozen=True)
class Decisions:
    """Statistics of whole decisions, with post-processing; known ones are not computed again.

    Choices made without one fold or another are often equal, and then so are their statistics.
    """

    source: OofSource
    metric: Metric
    steps: Sequence[Step]
    known: dict[Key, ImageStatistics] = field(default_factory=dict)

    def select(self, rows: Numbers) -> Decisions:
        """The same of some of the images; what is known is shared."""
        ids = tuple(self.source.ids[row] for row in rows)
        return replace(self, source=replace(self.source, ids=ids))

    def measured(self, blend: Blend, steps: Steps) -> ImageStatistics:
        """Per-image statistics, (images, *shape of one)."""
        statistics: ImageStatistics = self.trials([(blend, steps)], None)[0, 0]
        return statistics

    def trials(self, variants: Sequence[tuple[Blend, Steps]], step: Step | None) -> ImageStatistics:
        """Of each variant without the step and with each of its values.

        int64 (variants, 1 + values, images, *shape of one); every map is read once.
        """

        def measure(id: str) -> ImageStatistics:
            return np.array([self._tried(id, *variant, step) for variant in variants])

        return np.stack(list(ordered(measure, self.source.ids)), axis=2)

    def _tried(
        self, id: str, blend: Blend, steps: Steps, step: Step | None
    ) -> list[ImageStatistics]:
        weights = tuple(blend.weights[name] for name in self.source.names)
        tried = [steps, *((*steps, each) for each in (step.choices if step else ()))]
        keys: list[Key] = [(id, weights, blend.thresholds, each) for each in tried]
        if any(key not in self.known for key in keys):
            maps, truth = self.source.maps(id), self.source.truth(id)
            outputs, view = self._outputs(id, weights), self._view(id, blend)
            probability = blended(maps, weights, self.source.mean, threads=1)
            decision = decide(maps, weights, blend.thresholds, mean=self.source.mean, threads=1)
            decision = apply_steps(decision, probability, steps, outputs, view)
            for key, each in zip(keys, tried, strict=True):
                if key not in self.known:
                    after = apply_steps(decision, probability, each[len(steps) :], outputs, view)
                    self.known[key] = self.metric.measure(after, truth)
        return [self.known[key] for key in keys]

    def _outputs(self, id: str, weights: Sequence[float]) -> Outputs:
        if not self.source.outputs:
            return {}
        planes = self.source.output_maps(id)
        return by_label(blended(planes, weights, self.source.mean, threads=1), self.source.outputs)

    def _view(self, id: str, blend: Blend) -> View | None:
        """The image is decoded once for all that is tried on it, and only if a step asks."""
        picture = self.source.picture
        if picture is None:
            return None
        return View(tuple(blend.thresholds), cache(lambda: picture(id)))


def search_steps(
    decisions: Decisions,
    metric: Metric,
    groups: Numbers,
    parts: Numbers,
    blend: Blend,
    by_part: Mapping[int, Blend],
    nested: ImageStatistics,
) -> tuple[Steps, tuple[StepTrial, ...]]:
    """Try the steps one after another, each on top of those kept before it.

    blend: chosen on all these images; by_part: without each part; nested: the statistics that these
    give. For the nested score a part's blend is applied to the other parts' images too, to choose
    the step's value there. A step is kept where its gain exceeds one standard error.
    """
    assert not decisions.source.multiclass, "steps act on one class at a time"
    kept: Steps = ()
    part_steps: dict[int, Steps] = dict.fromkeys(by_part, ())
    trials = []
    for step in decisions.steps:
        variants = [(each, part_steps[part]) for part, each in by_part.items()]
        *tables, final = decisions.trials([*variants, (blend, kept)], step)
        extended, after = {}, np.empty_like(nested)
        for part, table in zip(by_part, tables, strict=True):
            best = int(np.argmax(metric.aggregate(table[:, parts != part])))
            extended[part] = _extended(part_steps[part], step, best)
            after[parts == part] = table[best][parts == part]
        best = int(np.argmax(metric.aggregate(final)))
        gain = float(metric.aggregate(after) - metric.aggregate(nested))
        error = paired_error(metric, after, nested, groups)
        keep = best > 0 and gain > max(GAIN, error)
        trials.append(_trial(step, best, gain, error, keep))
        if keep:
            kept, part_steps, nested = _extended(kept, step, best), extended, after
    return kept, tuple(trials)


def _extended(steps: Steps, step: Step, best: int) -> Steps:
    """The steps and, unless row 0 (without it) was best, one more."""
    return (*steps, step.choices[best - 1]) if best else steps


def _trial(step: Step, best: int, gain: float, error: float, kept: bool) -> StepTrial:
    if not best:
        return StepTrial(step.name, None, gain, error, kept)
    choice = step.choices[best - 1]
    return StepTrial(step.name, choice.value, gain, error, kept, choice.settings)
