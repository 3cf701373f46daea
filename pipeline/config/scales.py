"""The `scales` block of a model."""

from __future__ import annotations

from pydantic import Field, field_validator

from pipeline.config.base import Block

STEP, LARGEST = 0.25, 2.0


class Scales(Block):
    """One network at several sizes of the image, its maps weighted pixel by pixel by an attention
    that is learned with it (Chen et al. 2016)."""

    at: tuple[float, ...] = Field((1.0, 0.5), min_length=2, max_length=4)
    """The sizes, as multiples of the image's: 1, then others, each a multiple of 0.25 up to 2."""
    supervise: bool = True
    """true: the map of each scale is trained, too, with the loss of the masks and its weight."""

    @field_validator("at")
    @classmethod
    def _can_be(cls, at: tuple[float, ...]) -> tuple[float, ...]:
        if at[0] != 1:
            raise ValueError(f"the first scale is the image itself, 1, and not {at[0]:g}")
        if len(set(at)) != len(at):
            raise ValueError("a scale stands twice")
        for each in at:
            if not STEP <= each <= LARGEST or each % STEP:
                raise ValueError(
                    f"{each:g} is no scale: take multiples of {STEP:g} up to {LARGEST:g}"
                )
        return at
