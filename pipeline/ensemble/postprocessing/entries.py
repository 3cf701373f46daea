"""Reads the entries of `ensemble.postprocess`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pipeline.ensemble.postprocessing.step import Step
from pipeline.errors import ConfigError
from pipeline.suggestions import did_you_mean, shortened

MOST_VALUES = 100
GREATEST = 1e6  # more objects than keep_largest could ever keep; the other values are shares
BY = " by "
_KEY = "ensemble.postprocess"


def read_step(item: object, steps: Mapping[str, Step]) -> Step:
    """The step that an entry names.

    item: a name, or {name: …, values: […], by: …, <setting>: number or […]} with the values to
    try, an auxiliary output, and settings of steps that have some. Raises ConfigError.
    """
    wanted: dict[str, Any] = {"name": item}
    if isinstance(item, Mapping):
        wanted = dict(item)
    name, values = wanted.pop("name", None), wanted.pop("values", None)
    by = wanted.pop("by", None)
    known = steps[str(name)].known_settings if str(name) in steps else ()
    if name is None or (wanted and not known):
        raise ConfigError(
            f"{_KEY}: {item!r} is neither the name of a step nor, with values to try,"
            " {name: minimum_area, values: [0.001, 0.01]}"
        )
    name = str(name)
    if name not in steps:
        raise ConfigError(f"{_KEY}: no step {name!r}{did_you_mean(name, steps)}")
    step = steps[name] if by is None else _looking_at(steps[name], by)
    if values is not None:
        step = replace(step, candidates=_numbers(name, "values", values))
    return _with_settings(step, wanted, known) if known else step


def _with_settings(step: Step, wanted: Mapping[str, Any], known: tuple[str, ...]) -> Step:
    settings = dict(step.settings)
    for setting, numbers in wanted.items():
        if setting not in known:
            hint = did_you_mean(str(setting), known)
            raise ConfigError(f"{_KEY}: {step.name} has no setting {setting!r}{hint}")
        listed = numbers if isinstance(numbers, list | tuple) else [numbers]
        settings[setting] = _numbers(step.name, setting, listed)
    settings = {each: settings[each] for each in known if each in settings}
    count = math.prod(map(len, (step.candidates, *settings.values())))
    if count > MOST_VALUES:
        raise ConfigError(
            f"{_KEY}: {step.name}: its values and settings make {count} combinations, and at most "
            f"{MOST_VALUES} are tried; name fewer"
        )
    return replace(step, settings=settings)


def _looking_at(step: Step, by: Any) -> Step:
    if by not in (known := list(step.by)):
        which = f"by must be one of {', '.join(known)}" if known else "takes no by"
        raise ConfigError(f"{_KEY}: {step.name}: {which}, not {shortened(by)}")
    return replace(step, name=f"{step.name}{BY}{by}", candidates=step.by[by])


def _numbers(step: str, key: str, values: Any) -> tuple[float, ...]:
    listed = isinstance(values, list | tuple) and 0 < len(values) <= MOST_VALUES
    if not listed or not all(map(_is_value, values)):
        raise ConfigError(
            f"{_KEY}: {step}: {key} must be a list of numbers above 0, not "
            f"{shortened(values)} (up to {MOST_VALUES} numbers, up to {GREATEST:g})"
        )
    return tuple(values)


def _is_value(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value <= GREATEST
