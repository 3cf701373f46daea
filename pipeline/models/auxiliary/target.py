"""What the targets of auxiliary outputs hold; needed where networks are not."""

from __future__ import annotations

from typing import Any, NamedTuple

TOP = 254
"""What target maps (uint8) hold for 1."""
UNKNOWN = 255
"""What they hold where nothing is known. Other targets hold NaN there."""


class Column(NamedTuple):
    """What the values of a column mean: numbers, or numbers of classes.

    mean, deviation: of numbers on the training images; classes: the values, in order.
    """

    mean: float = 0.0
    deviation: float = 1.0
    classes: tuple[str, ...] = ()

    @property
    def facts(self) -> dict[str, Any]:
        """What a reader of the weights needs to know."""
        if self.classes:
            return {"classes": list(self.classes)}
        return {"mean": self.mean, "deviation": self.deviation}
