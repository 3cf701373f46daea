"""Reference-image alignment: the warp that brings a reference onto an image, or why there is none.

`align` finds it, `warp_reference` applies it.
"""

from pipeline.alignment.registration import Alignment, align, centred, no_alignment, warp_reference
from pipeline.config import AlignSettings

__all__ = ["AlignSettings", "Alignment", "align", "centred", "no_alignment", "warp_reference"]
