"""The block `data.frame`: where images lie relative to their masks."""

from __future__ import annotations

from pydantic import Field

from pipeline.config.base import Block
from pipeline.config.limits import Shift


class FrameConfig(Block):
    """Moves image and reference to their masks, for training and inference alike.

    For offsets of masks that `borders` has measured: a scale above all, because a shift
    that is the same everywhere a network learns by itself.
    """

    scale: float = Field(1, ge=0.5, le=2)
    """Factor about the centre of the image."""
    shift: tuple[Shift, Shift] = (0, 0)
    """Pixels to the right and down."""
    pad: int = Field(0, ge=0, le=1024)
    """Pixels of reflected image (reflect-101) around the image; predictions are cropped back."""
