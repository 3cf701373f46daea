"""How long a training stage will take, told after its first steps."""

from __future__ import annotations

import time
from dataclasses import dataclass

from pipeline.reporting import duration

FIRST_STEPS = 20
"""Of which the time is taken: after them it changes little, and nobody has waited long."""
WORTH_TELLING = 5
"""Times as many steps as that are left, or it is over before it is read."""


@dataclass(frozen=True)
class Projection:
    """members to train, `steps` all together, as many at once as there are devices for.

    work: of how many of their first steps the steps of all stages are as long as; None: of as many.
    """

    members: int
    steps: int
    at_once: int
    work: float | None = None

    def text(self, step_s: float) -> str:
        """For people, if every (first) step takes that many seconds."""
        each = self.steps / self.members
        work = self.steps if self.work is None else self.work
        seconds = -(-self.members // self.at_once) * work / self.members * step_s
        many = f"{self.members} members" if self.members > 1 else "1 member"
        return f"{many} × {each:,.0f} steps, about {duration(seconds)} at {step_s:.2g} s a step"


class StepTimer:
    """Takes the time of the first steps of this process, without the very first, which warms up."""

    def __init__(self, projection: Projection | None) -> None:
        self._projection, self._steps, self._began_at = projection, 0, 0.0

    def step(self, left: int) -> str | None:
        """Count a step; the text when it is time for it. left: steps of this member."""
        if self._projection is None:
            return None
        self._steps += 1
        if self._steps == 1:
            self._began_at = time.monotonic()
        if self._steps != FIRST_STEPS or left < WORTH_TELLING * FIRST_STEPS:
            return None
        step_s = (time.monotonic() - self._began_at) / (FIRST_STEPS - 1)
        return self._projection.text(step_s)
