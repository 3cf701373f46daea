"""The interface between encoders, decoders and models."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from torch import nn

IMAGE_CHANNELS = 3
"""The image, which SMP's decoders count as their first feature; ours ignore it."""
WIDTHS = (256, 128, 64, 32, 16)
"""Channels of the U-Net family's blocks, from 1/16 to the image's size."""
PYRAMID_CHANNELS = 256
LIGHT = 32
"""The output stride of a backbone that is not dilated."""


@dataclass(frozen=True)
class Features:
    """The output of an encoder: five features at 1/2 .. 1/32, none deeper than `output_stride`.

    ends_with_pool: whether no layer has looked at the deepest one yet (VGG).
    image: channels of the image.
    """

    channels: Sequence[int]
    output_stride: int = 32
    ends_with_pool: bool = False
    image: int = IMAGE_CHANNELS


@dataclass(frozen=True)
class Parts:
    """decoder: [image, *features] -> map, of a whole network [image] -> map; head: map -> logits
    N x classes x H x W.

    auxiliary: the feature at 1/16 -> logits, weighted by `auxiliary_weight` in training.
    """

    decoder: nn.Module
    head: nn.Module
    auxiliary: nn.Module | None = None
    auxiliary_weight: float = 0.0


@dataclass(frozen=True)
class Tap:
    """A feature inside a decoder: what the module of that name puts out, or is given."""

    module: str
    of_input: bool = False


@dataclass(frozen=True)
class Decoder:
    """The function that builds a decoder, and its requirements.

    build: (features, classes, **options) -> Parts; options are its keyword-only parameters.
    finest: the finest feature that it uses.
    output_stride: how far it lets backbones shrink that can be dilated.
    levels: features on the way to its map, coarser than that, the finest first.
    """

    build: Callable[..., Parts]
    finest: int
    output_stride: int = LIGHT
    levels: tuple[Tap, ...] = ()
