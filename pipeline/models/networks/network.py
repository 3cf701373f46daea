"""What the registry says of a whole network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pipeline.models.decoders.parts import Parts, Tap


@dataclass(frozen=True)
class Network:
    """The function that builds a whole network, and its requirements.

    build: (channels of the image, classes, **options) -> parts, whose decoder is given [image].
    step: the image's sides are multiples of it.
    levels: features on the way to its map, coarser than that, the finest first.
    """

    build: Callable[..., Parts]
    step: int = 1
    levels: tuple[Tap, ...] = ()
