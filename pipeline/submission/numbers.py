"""Masks as numbers: what stands for each class in a submission."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pipeline.config import DataConfig, SubmissionConfig


def class_numbers(settings: SubmissionConfig, data: DataConfig) -> tuple[int, ...]:
    """The number of each class, in the order of the classes."""
    values = settings.values or data.class_values
    return tuple(values[name] for name in data.class_names)


def numbered(planes: NDArray[np.bool_], numbers: Sequence[int], dtype: str) -> NDArray[np.generic]:
    """HW: each pixel the number of its class, 0 where it has none; planes CHW."""
    found = np.zeros(planes.shape[1:], dtype)
    for plane, number in zip(planes, numbers, strict=True):
        found[plane] = number
    return found


def planes_of(values: NDArray[np.generic], numbers: Sequence[int]) -> NDArray[np.bool_]:
    """The planes CHW that `numbered` made HW from."""
    return np.stack([np.asarray(values == number) for number in numbers])
