"""The `train.augment` block: random changes of training samples."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from pipeline.config.base import Block
from pipeline.config.limits import Probability


class JitterConfig(Block):
    """Random movement of a reference from its aligned position."""

    shift: float = Field(0, ge=0, le=100)
    """Pixels, in each direction."""
    rotate: float = Field(0, ge=0, le=180)
    """Degrees, in either direction."""
    scale: float = Field(0, ge=0, lt=1)
    """Largest share by which it grows or shrinks."""


class AugmentConfig(Block):
    """Random changes of a training sample; geometry moves image, reference and mask together."""

    flips: tuple[Literal["horizontal", "vertical", "transpose"], ...] = ("horizontal",)
    """Each listed symmetry is applied to half of the samples, independently of the others."""
    affine: Probability = 0.7
    """Share of the samples that are rotated, scaled and shifted."""
    rotate: float = Field(10, ge=0, le=180)
    """Largest rotation in degrees, in either direction."""
    scale: float = Field(0.15, ge=0, lt=1)
    """Largest share by which a sample grows or shrinks."""
    shift: float = Field(0.06, ge=0, lt=1)
    """Largest shift as a share of the side, in either direction."""
    colour: Probability = 0.5
    """Share of the samples whose brightness, contrast, hue and saturation change."""
    strength: float = Field(0.2, ge=0, le=1)
    """How much they change; image and reference change independently. Of `data.bands` it is
    brightness, contrast, gamma and noise of each band by itself."""
    colour_on: Literal["cpu", "device"] = "cpu"
    """Where colours are changed. device: on the GPU, for machines whose cores are too few to keep
    it busy (the column `waiting` of history.csv). The changes are drawn alike; pixels differ by a
    few levels."""
    band_drop: Probability = 0
    """Share of the samples in which one band of `data.bands` has no data."""
    reference_jitter: JitterConfig = JitterConfig()
    """Random movement of the reference, so that models tolerate errors of alignment."""
    reference_drop: Probability = 0
    """Share of the samples whose reference is replaced by a blank one."""
