"""The `data.stack` block: images that are slices of a volume, or frames of a film."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator

from pipeline.config.base import Block
from pipeline.config.patterns import compiled

Offset = Annotated[int, Field(ge=-100, le=100)]


class StackConfig(Block):
    """Images in an order, of which a network may be shown the neighbours (2.5-D)."""

    of: str | None = None
    """Regular expression whose first parenthesis captures the stack from the id. Without
    `data.group` a stack stays in one fold. Needed, but with `data.volume`, where a volume is a
    stack."""
    position: str | None = None
    """Regular expression whose first parenthesis captures the position, a whole number. Needed, but
    with `data.volume`."""
    neighbours: tuple[Offset, ...] = Field((-1, 0, 1), min_length=1, max_length=33)
    """Positions to read, relative to the image; 0 is the image itself. Their bands are called
    `nir@-1`, `nir`, `nir@+1`, and `input.bands` may choose among them."""
    edges: Literal["repeat", "no_data"] = "repeat"
    """What stands for a neighbour that does not exist. repeat: the nearest one that does, towards
    the image; no_data: nothing."""

    @field_validator("of", "position")
    @classmethod
    def _captures(cls, pattern: str | None) -> str | None:
        if pattern is not None and compiled(pattern).groups < 1:
            raise ValueError("the regex needs parentheses around what it captures")
        return pattern

    @field_validator("neighbours")
    @classmethod
    def _holds_the_image(cls, offsets: tuple[int, ...]) -> tuple[int, ...]:
        if 0 not in offsets or len(set(offsets)) != len(offsets):
            raise ValueError("needs 0, the image itself, and every offset once")
        return offsets
