"""Where predicted borders lie in relation to those of the masks, in parts of a pixel."""

from pipeline.borders.distances import Border, border_distances
from pipeline.borders.fit import BorderFit, fit_borders
from pipeline.borders.level import signed_level
from pipeline.borders.repair import repair

__all__ = ["Border", "BorderFit", "border_distances", "fit_borders", "repair", "signed_level"]
