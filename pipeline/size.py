"""The size of an image, a mask or a map."""

from __future__ import annotations

Size = tuple[int, int]
"""Height and width in pixels, in this order."""
