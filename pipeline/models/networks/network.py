"""The interface between whole networks and models."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pipeline.models.decoders.parts import Parts, Tap


@dataclass(frozen=True)
class Network:
    """The function that builds a whole network, and its requirements.

    build: (channels of the image, classes, **options) -> Parts whose decoder takes [image], an
        image N x C x H x W that is normalised. Options are keyword-only and have defaults.
    step: H and W are multiples of it.
    levels: features for deep supervision, coarser than the decoder's map, the finest first.
    """

    build: Callable[..., Parts]
    step: int = 1
    levels: tuple[Tap, ...] = ()
