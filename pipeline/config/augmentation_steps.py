"""How an entry of `train.augment.steps` is written: `Name`, or `{Name: {key: value}, p: 0.3}`."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

from pipeline.suggestions import shortened

MOST_STEPS = 50
USUAL = 0.5
"""The probability of a step that does not say any."""


class AugmentStep(NamedTuple):
    """A transform by the name it has in albumentations, its arguments, and its probability."""

    name: str
    arguments: dict[str, Any]
    p: float


def parse_step(entry: str | dict[str, Any]) -> AugmentStep:
    """The step of an entry; ValueError where it is written in another way."""
    if isinstance(entry, str):
        return AugmentStep(entry, {}, USUAL)
    rest = dict(entry)
    p = rest.pop("p", USUAL)
    if len(rest) != 1:
        raise ValueError(
            f"{shortened(entry)} is no step; write a name, or {{GaussNoise: {{std_range: "
            "[0.02, 0.1]}, p: 0.3}"
        )
    ((name, arguments),) = rest.items()
    arguments = {} if arguments is None else arguments
    if not isinstance(arguments, dict) or not all(isinstance(key, str) for key in arguments):
        raise ValueError(f"{name}: its arguments are written as {{key: value}}")
    if not all(map(math.isfinite, _numbers_in(arguments))):
        raise ValueError(f"{name}: a value is not a finite number")
    if "p" in arguments:
        raise ValueError(f"{name}: write p beside the name: {{{name}: {{…}}, p: 0.3}}")
    if isinstance(p, bool) or not isinstance(p, int | float) or not 0 <= p <= 1:
        raise ValueError(f"{name}: p is {shortened(p)}, and must be a number from 0 to 1")
    return AugmentStep(str(name), arguments, float(p))


def as_written(step: AugmentStep) -> dict[str, Any]:
    """The complete entry of a step, which is the same however short it was written."""
    return {step.name: step.arguments, "p": step.p}


def _numbers_in(value: Any) -> Iterator[float]:
    """All fractions in a value of YAML; whole numbers are finite."""
    if isinstance(value, float):
        yield value
    inner = value.values() if isinstance(value, dict) else value
    if isinstance(value, dict | list | tuple):
        for each in inner:
            yield from _numbers_in(each)
