"""Limits of the numbers in an experiment: far beyond practical use, far below harm.

Values outside are typing mistakes, which would end hours later in a full memory, an overflow or a
training that fails.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from pipeline.size import Size

MOST_PIXELS = 2**28
SMALLEST_SIDE = 32
"""Of what a network is shown: it halves each side five times."""

Probability = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1, le=2**14)]
"""Of what is in memory at once: images of a batch."""
Weight = Annotated[float, Field(ge=0, le=1e6)]
Side = Annotated[int, Field(ge=1, le=2**16)]
"""Pixels."""
Shift = Annotated[float, Field(ge=-10_000, le=10_000)]
"""Pixels, either way."""
PixelValue = Annotated[int, Field(ge=0, lt=2**16)]


def _check_pixels(size: Size) -> Size:
    if size[0] * size[1] > MOST_PIXELS:
        raise ValueError(f"{size[0]} x {size[1]} pixels are more than the limit of {MOST_PIXELS}")
    return size


ImageSize = Annotated[tuple[Side, Side], AfterValidator(_check_pixels)]
"""H, W."""


def _check_sides(size: Size) -> Size:
    if min(size) < SMALLEST_SIDE:
        raise ValueError(f"{size[0]} x {size[1]}: a side must have at least {SMALLEST_SIDE} pixels")
    return size


CropSize = Annotated[ImageSize, AfterValidator(_check_sides)]
"""H, W of what a network is trained on."""
