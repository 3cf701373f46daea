"""The chosen blend as a value: it turns the models' maps into decisions, in every stage."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.config.choices import RleOrder
from pipeline.data.rle import Runs
from pipeline.ensemble.blending.kernel import blend, decide, decide_runs
from pipeline.ensemble.blending.means import Mean
from pipeline.ensemble.blending.stream import SummedMaps
from pipeline.ensemble.outputs import Outputs, by_label, part_of
from pipeline.ensemble.postprocessing.registry import apply_steps
from pipeline.ensemble.postprocessing.step import ChosenStep, Settings
from pipeline.ensemble.postprocessing.view import Picture, View

BlendInput = Sequence[NDArray[Any]] | SummedMaps
"""One image's stored map CHW by each model, or the sum of these maps."""


@dataclass(frozen=True)
class Recipe:
    """weights: by model, summing to 1; thresholds: a class each; steps: post-processing, in order.

    multiclass: thresholds divide the classes' probabilities, and the largest quotient wins. One
    thread an image: whoever has many images maps over them (`threads.ordered`). outputs: the
    auxiliary ones whose planes stand behind those of the classes, in every map.
    """

    weights: dict[str, float]
    thresholds: tuple[float, ...]
    multiclass: bool
    mean: Mean
    steps: tuple[ChosenStep, ...] = ()
    outputs: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.weights)

    def of_models(self, names: Collection[str]) -> Recipe:
        """The same blend of some of its models, whose weights keep their proportions."""
        kept = [place for place, name in enumerate(self.names) if name in names]
        tables = self.mean.tables
        if tables is not None and len(tables) > 1:
            tables = tables[kept]
        weights = {self.names[place]: self.weights[self.names[place]] for place in kept}
        return replace(self, weights=weights, mean=replace(self.mean, tables=tables))

    def blend(
        self, maps: BlendInput, out: NDArray[np.float32] | None = None
    ) -> NDArray[np.float32]:
        """Blended probabilities CHW of one image, from each model's stored map, or their sum; in
        `out` if given.
        """
        return blend(self._own(maps), list(self.weights.values()), self.mean, threads=1, out=out)

    def _own(self, maps: BlendInput) -> BlendInput:
        """Without the planes of auxiliary outputs."""
        return part_of(maps, slice(len(self.thresholds))) if self.outputs else maps

    def _outputs(self, maps: BlendInput) -> Outputs:
        if not self.outputs:
            return {}
        planes = part_of(maps, slice(len(self.thresholds), None))
        weights = list(self.weights.values())
        return by_label(blend(planes, weights, self.mean, threads=1), self.outputs)

    def decide(
        self, maps: BlendInput, picture: Callable[[], Picture] | None = None
    ) -> NDArray[np.bool_]:
        """The decision CHW of one image, after post-processing.

        picture: reads the image as people see it, called if a step looks at it. DataError where
        one does, and there is none.
        """
        weights, own = list(self.weights.values()), self._own(maps)
        decision = decide(
            own, weights, self.thresholds, multiclass=self.multiclass, mean=self.mean, threads=1
        )
        if not self.steps:
            return decision
        view = None if picture is None else View(self.thresholds, picture)
        return apply_steps(decision, self.blend(maps), self.steps, self._outputs(maps), view)

    def runs(self, maps: BlendInput, order: RleOrder) -> list[Runs] | None:
        """The decision as runs, a class each, without a mask; None when steps need the mask."""
        if self.steps:
            return None
        weights = list(self.weights.values())
        return decide_runs(
            self._own(maps),
            weights,
            self.thresholds,
            order,
            multiclass=self.multiclass,
            mean=self.mean,
            threads=1,
        )


def steps_as_yaml(steps: Sequence[ChosenStep]) -> list[dict[str, Any]]:
    """How `ensemble.yaml` writes steps."""
    return [
        {"name": step.name, "value": step.value, **settings_as_yaml(step.settings)}
        for step in steps
    ]


def settings_as_yaml(settings: Settings) -> dict[str, dict[str, float]]:
    """Nothing for a step without settings."""
    return {"settings": dict(settings)} if settings else {}


def steps_from_yaml(items: Sequence[Mapping[str, Any]]) -> tuple[ChosenStep, ...]:
    """The steps that `steps_as_yaml` wrote."""
    return tuple(
        ChosenStep(str(item["name"]), float(item["value"]), tuple(item.get("settings", {}).items()))
        for item in items
    )
