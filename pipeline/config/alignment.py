"""The `align` block: how references are brought onto their images."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from pipeline.config.base import Block

MotionChoice = Literal["auto", "none", "translation", "euclidean", "affine", "homography"]


class AlignSettings(Block):
    """The defaults serve photos of flat things of a few hundred pixels."""

    motion: MotionChoice = "auto"
    """The warp's family; auto grows it as far as the pair supports; none lays the references
    middle on middle, for those that fit already."""
    missing: Literal["error", "image"] = "error"
    """What a sample without a reference is: an error, or seen as its image beside a blank one."""
    max_rotation: float = Field(180.0, ge=0, le=180)
    """Degrees; warps that turn the reference further are flagged."""
    max_scale: float = Field(2.0, ge=1, le=4)
    """Warps that enlarge or shrink the reference by more are flagged."""
    min_correlation: float = Field(0.3, ge=0, le=1)
    """Pairs whose band-passed images correlate less after alignment are flagged."""
    max_uncertainty: float = Field(1.8, gt=0, le=10_000)
    """Pixels; pairs whose worst corner has a larger standard error are flagged."""
    iterations: int = Field(30, ge=1, le=200)
    """Most steps of each fit at each pyramid level."""
