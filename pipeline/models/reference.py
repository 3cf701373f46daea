"""The input of a network from an image and its aligned reference, stacked on the channels."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from pipeline.channels import Channels
from pipeline.config import ReferenceUse
from pipeline.errors import ConfigError

Inputs = tuple[Tensor, ...]


def _stacked(images: Tensor, channels: int) -> Inputs:
    return (images,)


def _alone(images: Tensor, channels: int) -> Inputs:
    return (images[:, :channels],)


def _apart(images: Tensor, channels: int) -> Inputs:
    return images[:, :channels], images[:, channels:]


def _difference(images: Tensor, channels: int) -> Inputs:
    """Without its sign: a defect may be bright or dark, and networks that were shown the sign
    have learned to find just one of the two."""
    image, reference = _apart(images, channels)
    return (torch.cat([image, (image - reference).abs()], dim=1),)


_INPUTS: Mapping[ReferenceUse, Callable[[Tensor, int], Inputs]] = {
    "concat": _stacked,
    "difference": _difference,
    "siamese": _apart,
    "none": _alone,
}


def network_inputs(images: Tensor, use: ReferenceUse, channels: int) -> Inputs:
    """N x C x H x W in 0..1, image first -> what goes through the network, each N x c x H x W.

    channels: those of the image.
    """
    return _INPUTS[use](images, channels)


def input_shape(use: ReferenceUse, channels: Channels) -> tuple[int, int]:
    """How many inputs go through the network, and how many channels each of them has.

    Raises ConfigError where there is no reference to use.
    """
    if use in ("difference", "siamese") and not channels.references:
        raise ConfigError(f"reference: {use} needs two images, not {channels.total} channels")
    inputs = network_inputs(torch.empty(1, channels.total, 0, 0), use, channels.image)
    return len(inputs), inputs[0].shape[1]
