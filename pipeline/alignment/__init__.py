"""Reference-image alignment: the warp that brings a reference onto an image, or why there is none.

`align` finds it, `warp_reference` applies it.
"""

from pipeline.alignment.registration import Alignment, align, centred, no_alignment, warp_reference
from pipeline.config import AlignSettings

VERSION = "align/1"
"""Bumped when the same pair is aligned differently than before."""

__all__ = [
    "VERSION",
    "AlignSettings",
    "Alignment",
    "align",
    "centred",
    "no_alignment",
    "warp_reference",
]
