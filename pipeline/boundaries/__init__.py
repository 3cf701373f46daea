"""Offsets of predicted boundaries from mask boundaries, with subpixel accuracy."""

from pipeline.boundaries.distances import Border, border_distances
from pipeline.boundaries.frame_repair import repair
from pipeline.boundaries.level_set import signed_level
from pipeline.boundaries.motion import BorderFit, fit_borders

__all__ = ["Border", "BorderFit", "border_distances", "fit_borders", "repair", "signed_level"]
