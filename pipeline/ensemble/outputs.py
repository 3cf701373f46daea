"""Auxiliary outputs in maps: planes behind those of the classes, one a class of each output.

They are predicted, averaged and stored as masks are, and blended with the weights of these. Steps
of post-processing look at them in place of the probability.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.ensemble.blending.stream import SummedMaps

Outputs = Mapping[str, NDArray[np.float32]]
"""By label: blended, CHW 0..1."""


def plane_names(classes: Sequence[str], outputs: Sequence[str]) -> tuple[str, ...]:
    """What the planes of a map are called."""
    return (*classes, *(f"{each} of {label}" for label in outputs for each in classes))


def part_of(
    maps: Sequence[NDArray[Any]] | SummedMaps, planes: slice
) -> Sequence[NDArray[Any]] | SummedMaps:
    """Some planes of one image's maps."""
    if isinstance(maps, SummedMaps):
        return replace(maps, values=maps.values[planes])
    return [each[planes] for each in maps]


def by_label(blended: NDArray[np.float32], outputs: Sequence[str]) -> Outputs:
    """The blended planes behind those of the classes, by output."""
    return dict(zip(outputs, np.split(blended, len(outputs)), strict=True)) if outputs else {}
