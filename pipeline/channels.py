"""The channels of what a network is given, and those of them that it is shown."""

from __future__ import annotations

from dataclasses import dataclass, replace

from pipeline.config.bands import Rule


@dataclass(frozen=True)
class ShownBand:
    """A band that a network is shown: its number in the image, and how it is normalised."""

    number: int
    rule: Rule


@dataclass(frozen=True)
class Channels:
    """Of one image, and whether its reference, of as many channels, lies behind it."""

    image: int
    references: bool = False
    scale: float = 255
    """The divisor of their values before a network (`ImageSource.scale`)."""
    shown: tuple[ShownBand, ...] | None = None
    """The bands that a network is shown, in order; None: all, as they are."""

    @property
    def total(self) -> int:
        """Of image and reference together."""
        return self.image * (2 if self.references else 1)

    @property
    def seen(self) -> Channels:
        """What the network is given of them."""
        return self if self.shown is None else replace(self, image=len(self.shown), shown=None)


RGB = Channels(3)
