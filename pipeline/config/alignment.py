"""The `align` block: alignment of references with their images."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from pipeline.config.base import Block

MotionChoice = Literal["auto", "none", "translation", "euclidean", "affine", "homography"]


class AlignSettings(Block):
    """The defaults serve photos of flat things of a few hundred pixels."""

    motion: MotionChoice = "auto"
    """Family of the warp. auto: the smallest family that explains the pair; none: the references
    are aligned already and are only centred."""
    missing: Literal["error", "image"] = "error"
    """error: a sample without a reference is an error; image: the image is used with a
    blank reference."""
    max_rotation: float = Field(180.0, ge=0, le=180)
    """Degrees. Warps that rotate the reference by more are flagged."""
    max_scale: float = Field(2.0, ge=1, le=4)
    """Factor. Warps that enlarge or shrink the reference by more are flagged."""
    min_correlation: float = Field(0.3, ge=0, le=1)
    """Pairs whose band-passed images correlate less after alignment are flagged."""
    max_uncertainty: float = Field(1.8, gt=0, le=10_000)
    """Pixels. Pairs whose worst corner has a larger standard error are flagged."""
    iterations: int = Field(30, ge=1, le=200)
    """Largest number of steps of each fit at each level of the image pyramid."""
