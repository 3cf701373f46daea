"""The learning rate as a pure function of the step.

A schedule is added by one function and one line of `SCHEDULES`. None looks at the score of the
held-out fold, as "reduce on a plateau" does: that score would be chosen by, and be too good.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pipeline.config import TrainConfig
from pipeline.training.optimizers import peak_rate

FLOOR = 0.01
"""Where a falling schedule ends, as a share of the peak."""
POWER = 0.9
RISE, FIRST, LAST = 0.3, 1 / 25, 1e-4
"""Of one cycle: the share of the steps in which it rises, and its ends as shares of the peak."""


def cosine(share: float, settings: TrainConfig) -> float:
    """Half a cosine down to the floor (Loshchilov & Hutter 2017)."""
    return _falling(share, 1, FLOOR)


def constant(share: float, settings: TrainConfig) -> float:
    """The peak, to the end."""
    return 1.0


def poly(share: float, settings: TrainConfig) -> float:
    """A power of what is left, down to the floor (DeepLab: Chen et al. 2017)."""
    return FLOOR + (1 - FLOOR) * math.pow(1 - share, POWER)


def restarts(share: float, settings: TrainConfig) -> float:
    """`train.cycles` cosines of equal length (Loshchilov & Hutter 2017)."""
    done = share * settings.cycles
    return _falling(done - min(int(done), settings.cycles - 1), 1, FLOOR)


def one_cycle(share: float, settings: TrainConfig) -> float:
    """Up to the peak and down to nearly nothing, by cosines (Smith & Topin 2018)."""
    if share < RISE:
        return _falling(share / RISE, FIRST, 1)
    return _falling((share - RISE) / (1 - RISE), 1, LAST)


def _falling(share: float, start: float, end: float) -> float:
    """Half a cosine from `start` to `end`."""
    return end + (start - end) * 0.5 * (1 + math.cos(math.pi * share))


@dataclass(frozen=True)
class Schedule:
    """factor: what is left of the peak when a share (0..1) of the steps after warm-up is done;
    warms_up: false where it rises by itself, and `train.warmup` says nothing.
    """

    factor: Callable[[float, TrainConfig], float]
    warms_up: bool = True


SCHEDULES: Mapping[str, Schedule] = {
    "constant": Schedule(constant),
    "cosine": Schedule(cosine),
    "onecycle": Schedule(one_cycle, warms_up=False),
    "poly": Schedule(poly),
    "restarts": Schedule(restarts),
}


def learning_rate(step: int, total: int, settings: TrainConfig) -> float:
    """For step 0 … total − 1: linear warm-up, then the schedule."""
    schedule, peak = SCHEDULES[settings.schedule], peak_rate(settings)
    warmup = round(settings.warmup * total) if schedule.warms_up else 0
    if step < warmup:
        return peak * (step + 1) / warmup
    return peak * schedule.factor((step - warmup) / max(1, total - warmup), settings)
