"""The channels of what a network is given."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Channels:
    """Of one image, and whether its reference, of as many channels, lies behind it."""

    image: int
    references: bool = False

    @property
    def total(self) -> int:
        """Of image and reference together."""
        return self.image * (2 if self.references else 1)


RGB = Channels(3)
