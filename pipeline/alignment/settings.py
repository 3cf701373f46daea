"""What a user may say about the alignment of images with their references."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

MotionChoice = Literal["auto", "translation", "euclidean", "affine", "homography"]


class AlignSettings(BaseModel):
    """Settings of `align`; the defaults serve photos of flat things of a few hundred pixels.

    motion: the warp's family; "auto" grows it as far as the pair supports.
    max_rotation: degrees; warps that turn the reference further are flagged. Up to 12 degrees a
        template search finds the start, beyond that local features do.
    max_scale: factor; warps that enlarge or shrink the reference by more are flagged.
    min_correlation: pairs whose band-passed images correlate less after alignment are flagged.
    max_uncertainty: pixels; pairs whose worst corner has a larger standard error are flagged.
    iterations: upper limit of the steps of each fit at each pyramid level.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    motion: MotionChoice = "auto"
    max_rotation: float = Field(default=180.0, ge=0.0, le=180.0)
    max_scale: float = Field(default=2.0, ge=1.0, le=4.0)
    min_correlation: float = Field(default=0.3, ge=0.0, le=1.0)
    max_uncertainty: float = Field(default=1.8, gt=0.0)
    iterations: int = Field(default=30, ge=1, le=200)
