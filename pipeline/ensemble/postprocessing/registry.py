"""The registry of post-processing steps, and how a list of them is applied.

A step is one file in `steps/` and one line here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.config.base import shortened
from pipeline.ensemble.postprocessing import (
    fill_holes,
    gate,
    hysteresis,
    keep_largest,
    minimum_area,
    watershed,
)
from pipeline.errors import ConfigError
from pipeline.suggestions import did_you_mean

Function = Callable[[NDArray[np.bool_], NDArray[np.float32], float], NDArray[np.bool_]]

MOST_VALUES = 100
GREATEST = 1e6  # more objects than keep_largest could ever keep; the other values are shares


@dataclass(frozen=True)
class Step:
    """function(decision bool CHW, probability float32 CHW, value); candidates: values to try."""

    name: str
    function: Function
    candidates: tuple[float, ...]


@dataclass(frozen=True)
class ChosenStep:
    """A step with its value."""

    name: str
    value: float


STEPS: dict[str, Step] = {
    step.name: step
    for step in (
        Step("minimum_area", minimum_area.minimum_area, minimum_area.CANDIDATES),
        Step("fill_holes", fill_holes.fill_holes, fill_holes.CANDIDATES),
        Step("keep_largest", keep_largest.keep_largest, keep_largest.CANDIDATES),
        Step("hysteresis", hysteresis.hysteresis, hysteresis.CANDIDATES),
        Step("gate", gate.gate, gate.CANDIDATES),
        Step("watershed", watershed.watershed, watershed.CANDIDATES),
    )
}


def get_step(item: str | Mapping[str, Any]) -> Step:
    """The step that an entry of `ensemble.postprocess` names.

    item: a name, or {name: …, values: […]} with the values to try. Raises ConfigError.
    """
    wanted: dict[str, Any] = {"name": item} if isinstance(item, str) else dict(item)
    name, values = wanted.pop("name", None), wanted.pop("values", None)
    if name is None or wanted:
        raise ConfigError(
            f"ensemble.postprocess: {item!r} is neither the name of a step nor, with values to try,"
            " {name: minimum_area, values: [0.001, 0.01]}"
        )
    name = str(name)
    if name not in STEPS:
        raise ConfigError(f"ensemble.postprocess: no step {name!r}{did_you_mean(name, STEPS)}")
    if values is None:
        return STEPS[name]
    listed = isinstance(values, list | tuple) and 0 < len(values) <= MOST_VALUES
    if not listed or not all(map(_is_value, values)):
        raise ConfigError(
            f"ensemble.postprocess: {name}: values must be a list of numbers above 0, not "
            f"{shortened(values)} (up to {MOST_VALUES} numbers, up to {GREATEST:g})"
        )
    return Step(name, STEPS[name].function, tuple(values))


def _is_value(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value <= GREATEST


def apply_steps(
    decision: NDArray[np.bool_], probability: NDArray[np.float32], steps: Sequence[ChosenStep]
) -> NDArray[np.bool_]:
    """The decision, bool CHW, after the steps in their order; probability: float32 CHW."""
    for step in steps:
        decision = STEPS[step.name].function(decision, probability, step.value)
    return decision
