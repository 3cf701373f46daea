"""The learning rate as a pure function of the step.

A schedule is added by one function and one line of `SCHEDULES`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from pipeline.config import TrainConfig
from pipeline.training.optimizers import peak_rate

FLOOR = 0.01
"""Where a falling schedule ends, as a share of the peak."""


def cosine(share: float) -> float:
    """Half a cosine down to the floor (Loshchilov & Hutter 2017)."""
    return FLOOR + (1 - FLOOR) * 0.5 * (1 + math.cos(math.pi * share))


def constant(share: float) -> float:
    """The peak, to the end."""
    return 1.0


SCHEDULES: Mapping[str, Callable[[float], float]] = {
    "constant": constant,
    "cosine": cosine,
}
"""Name → what remains of the peak when a share (0..1) of the steps after warm-up is done."""


def learning_rate(step: int, total: int, settings: TrainConfig) -> float:
    """For step 0 … total − 1: linear warm-up, then the schedule."""
    peak, warmup = peak_rate(settings), round(settings.warmup * total)
    if step < warmup:
        return peak * (step + 1) / warmup
    return peak * SCHEDULES[settings.schedule]((step - warmup) / max(1, total - warmup))
