"""A post-processing step, and one with the numbers that were chosen for it."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from itertools import product
from typing import NotRequired, TypedDict

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import ConfigError

Settings = tuple[tuple[str, float], ...]
"""Names and numbers, in the order of the step's parameters."""
Function = Callable[[NDArray[np.bool_], NDArray[np.float32], float], NDArray[np.bool_]]
Refinement = Callable[..., NDArray[np.bool_]]
"""(likelihood float32 CHW, decided where >= 0.5; picture; value; settings by name) -> bool CHW."""


@dataclass(frozen=True)
class ChosenStep:
    """A step with its value; of one that looks at an output, the name is `watershed by centre`."""

    name: str
    value: float
    settings: Settings = ()


@dataclass(frozen=True)
class Step:
    """function(decision bool CHW, probability float32 CHW, value); candidates: values to try.

    by: the auxiliary outputs that it can look at in place of the probability, each with the values
    to try then. refine: in place of `function`, for a step that looks at the image; settings: its
    further parameters, each with the numbers to try. extra: the package that it needs, and the
    optional dependency that has it.
    """

    name: str
    function: Function | None
    candidates: tuple[float, ...]
    by: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    refine: Refinement | None = None
    settings: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    extra: tuple[str, str] | None = None

    @property
    def choices(self) -> tuple[ChosenStep, ...]:
        """All that is tried, from the mildest value."""
        grid = [tuple(zip(self.settings, each, strict=True)) for each in self._combinations()]
        return tuple(
            ChosenStep(self.name, value, settings)
            for value, settings in product(self.candidates, grid)
        )

    def _combinations(self) -> product[tuple[float, ...]]:
        return product(*self.settings.values())

    @property
    def known_settings(self) -> tuple[str, ...]:
        """The names of the settings that may be given."""
        if self.refine is None:
            return ()
        parameters = inspect.signature(self.refine).parameters.values()
        return tuple(each.name for each in parameters if each.kind is each.KEYWORD_ONLY)

    def require_package(self) -> None:
        """ConfigError where the package that it needs is not installed."""
        if self.extra is None or find_spec(self.extra[0]) is not None:
            return
        raise ConfigError(
            f"ensemble.postprocess: {self.name} needs the package {self.extra[0]}, which is not "
            f"installed; pip install 'maskmill[{self.extra[1]}]'"
        )


class Tried(TypedDict):
    """What a refining step tries where the experiment says nothing."""

    candidates: tuple[float, ...]
    settings: NotRequired[Mapping[str, tuple[float, ...]]]


def refining(
    name: str,
    refine: Refinement,
    candidates: tuple[float, ...],
    settings: Mapping[str, tuple[float, ...]] | None = None,
    extra: tuple[str, str] | None = None,
) -> Step:
    """A step that looks at the image."""
    return Step(name, None, candidates, refine=refine, settings=settings or {}, extra=extra)
