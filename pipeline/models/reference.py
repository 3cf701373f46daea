"""The input of a network from an image and its aligned reference, stacked on the channels."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from pipeline.config import ReferenceUse
from pipeline.errors import ConfigError

COLOURS = 3
Inputs = tuple[Tensor, ...]


def _stacked(images: Tensor) -> Inputs:
    return (images,)


def _alone(images: Tensor) -> Inputs:
    return (images[:, :COLOURS],)


def _apart(images: Tensor) -> Inputs:
    image, reference = images.chunk(2, dim=1)
    return image, reference


def _difference(images: Tensor) -> Inputs:
    """Without its sign: a defect may be bright or dark, and networks that were shown the sign
    have learned to find just one of the two."""
    image, reference = images.chunk(2, dim=1)
    return (torch.cat([image, (image - reference).abs()], dim=1),)


_INPUTS: Mapping[ReferenceUse, Callable[[Tensor], Inputs]] = {
    "concat": _stacked,
    "difference": _difference,
    "siamese": _apart,
    "none": _alone,
}


def network_inputs(images: Tensor, use: ReferenceUse) -> Inputs:
    """N x C x H x W in 0..1, image first -> what goes through the network, each N x c x H x W."""
    return _INPUTS[use](images)


def input_shape(use: ReferenceUse, in_channels: int) -> tuple[int, int]:
    """How many inputs go through the network, and how many channels each of them has.

    Raises ConfigError where there is no reference to use.
    """
    if use in ("difference", "siamese") and in_channels % 2:
        raise ConfigError(f"reference: {use} needs two images, not {in_channels} channels")
    inputs = network_inputs(torch.empty(1, in_channels, 0, 0), use)
    return len(inputs), inputs[0].shape[1]
