"""The registry of post-processing steps, and how a list of them is applied.

A step is one file in `steps/` and one line here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.config.base import shortened
from pipeline.ensemble.outputs import Outputs
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
BOUNDARY = "boundary"
_BY = " by "
GREATEST = 1e6  # more objects than keep_largest could ever keep; the other values are shares


@dataclass(frozen=True)
class Step:
    """function(decision bool CHW, probability float32 CHW, value); candidates: values to try.

    by: the auxiliary outputs that it can look at in place of the probability, each with the values
    to try then.
    """

    name: str
    function: Function
    candidates: tuple[float, ...]
    by: Mapping[str, tuple[float, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class ChosenStep:
    """A step with its value; of one that looks at an output, the name is `watershed by centre`."""

    name: str
    value: float


STEPS: dict[str, Step] = {
    step.name: step
    for step in (
        Step("minimum_area", minimum_area.minimum_area, minimum_area.CANDIDATES),
        Step("fill_holes", fill_holes.fill_holes, fill_holes.CANDIDATES),
        Step("keep_largest", keep_largest.keep_largest, keep_largest.CANDIDATES),
        Step("hysteresis", hysteresis.hysteresis, hysteresis.CANDIDATES),
        Step("gate", gate.gate, gate.CANDIDATES, {"presence": gate.BY_PRESENCE}),
        Step(
            "watershed",
            watershed.watershed,
            watershed.CANDIDATES,
            dict.fromkeys(("centre", "distance", "boundary"), watershed.BY_OUTPUT),
        ),
    )
}


def get_step(item: str | Mapping[str, Any]) -> Step:
    """The step that an entry of `ensemble.postprocess` names.

    item: a name, or {name: …, values: […], by: …} with the values to try, and an auxiliary output.
    Raises ConfigError.
    """
    wanted: dict[str, Any] = {"name": item} if isinstance(item, str) else dict(item)
    name, values = wanted.pop("name", None), wanted.pop("values", None)
    by = wanted.pop("by", None)
    if name is None or wanted:
        raise ConfigError(
            f"ensemble.postprocess: {item!r} is neither the name of a step nor, with values to try,"
            " {name: minimum_area, values: [0.001, 0.01]}"
        )
    name = str(name)
    if name not in STEPS:
        raise ConfigError(f"ensemble.postprocess: no step {name!r}{did_you_mean(name, STEPS)}")
    step = STEPS[name] if by is None else _looking_at(STEPS[name], by)
    if values is None:
        return step
    listed = isinstance(values, list | tuple) and 0 < len(values) <= MOST_VALUES
    if not listed or not all(map(_is_value, values)):
        raise ConfigError(
            f"ensemble.postprocess: {name}: values must be a list of numbers above 0, not "
            f"{shortened(values)} (up to {MOST_VALUES} numbers, up to {GREATEST:g})"
        )
    return replace(step, candidates=tuple(values))


def _looking_at(step: Step, by: Any) -> Step:
    if by not in (known := list(step.by)):
        which = f"by must be one of {', '.join(known)}" if known else "takes no by"
        raise ConfigError(f"ensemble.postprocess: {step.name}: {which}, not {shortened(by)}")
    return replace(step, name=f"{step.name}{_BY}{by}", candidates=step.by[by])


def _is_value(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value <= GREATEST


def apply_steps(
    decision: NDArray[np.bool_],
    probability: NDArray[np.float32],
    steps: Sequence[ChosenStep],
    outputs: Outputs = MappingProxyType({}),
) -> NDArray[np.bool_]:
    """The decision, bool CHW, after the steps in their order; probability: float32 CHW."""
    for step in steps:
        name, _, by = step.name.partition(_BY)
        seen = outputs[by] if by else probability
        if by == BOUNDARY:  # high in the middle of objects, as the others are
            seen = 1 - seen
        decision = STEPS[name].function(decision, seen, step.value)
    return decision
