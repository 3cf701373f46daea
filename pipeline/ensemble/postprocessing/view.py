"""What steps that refine a decision look at besides it: the image, and the thresholds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]
"""HWC uint8 RGB: an image as people are shown it (`SampleReader.picture`)."""

SUREST = 0.999
"""Likelihoods lie within 1 - SUREST..SUREST: a stored probability of 1 is not certainty."""
_BELOW_HALF = np.nextafter(np.float32(0.5), np.float32(0))


@dataclass(frozen=True)
class View:
    """thresholds: a class each, of the blend; picture: reads the image, when a step asks for it."""

    thresholds: tuple[float, ...]
    picture: Callable[[], Picture]


def likelihood(
    decision: NDArray[np.bool_], probability: NDArray[np.float32], thresholds: tuple[float, ...]
) -> NDArray[np.float32]:
    """How likely each pixel is of its class, so that it is decided where that is 0.5 or more.

    Float32 CHW. The threshold is moved to 0.5 on the scale of log-odds. Where an earlier step has
    decided against the threshold, what spoke for one side then speaks for the other.
    """
    limits = np.clip(np.asarray(thresholds, np.float32), 1 - SUREST, SUREST)[:, None, None]
    given = np.clip(probability, 1 - SUREST, SUREST)
    on, off = given * (1 - limits), (1 - given) * limits
    likely = on / (on + off)
    likely = np.where((likely >= 0.5) == decision, likely, 1 - likely)
    likely = np.where(decision, np.maximum(likely, 0.5), np.minimum(likely, _BELOW_HALF))
    moved: NDArray[np.float32] = likely.clip(1 - SUREST, SUREST).astype(np.float32)
    return moved


def log_odds(likely: NDArray[np.float32]) -> NDArray[np.float32]:
    """The logarithm of p / (1 - p)."""
    odds: NDArray[np.float32] = np.log(likely) - np.log1p(-likely)
    return odds
