"""Where predicted borders lie in relation to those of the masks, in parts of a pixel."""

from pipeline.boundaries.distances import Border, border_distances
from pipeline.boundaries.frame_repair import repair
from pipeline.boundaries.level_set import signed_level
from pipeline.boundaries.motion import BorderFit, fit_borders

__all__ = ["Border", "BorderFit", "border_distances", "fit_borders", "repair", "signed_level"]
