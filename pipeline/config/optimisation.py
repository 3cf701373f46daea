"""Blocks of `train` that say which weights learn when, and which of them predict."""

from __future__ import annotations

from pydantic import Field, field_validator

from pipeline.config.base import Block

MOST_FROZEN = 10**8


class FreezeConfig(Block):
    """What of a pretrained encoder stays as it is at first: weights and running statistics."""

    encoder: int | bool = False
    """The first so many steps during which the whole encoder stays; true: to the end."""
    norms: int | bool = False
    """The first so many steps during which its normalisations stay; true: to the end."""

    @field_validator("encoder", "norms")
    @classmethod
    def _not_negative(cls, steps: int | bool) -> int | bool:
        if not 0 <= steps <= MOST_FROZEN:
            raise ValueError(f"must be 0 to {MOST_FROZEN} steps, or true")
        return steps if isinstance(steps, bool) or steps else False

    def __bool__(self) -> bool:
        return bool(self.encoder or self.norms)

    def after(self, steps: int) -> FreezeConfig:
        """What is left of it when so many steps are made."""
        left = {
            part: until if isinstance(until, bool) else max(0, until - steps)
            for part, until in (("encoder", self.encoder), ("norms", self.norms))
        }
        return FreezeConfig.model_validate(left)


class AverageConfig(Block):
    """The mean of the weights after each of the last epochs, which then predicts."""

    last: int | None = Field(None, ge=2, le=1000)
    """Number of epochs; null: no such mean."""
