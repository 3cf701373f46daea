"""What a network without an encoder is given in its place: the image itself."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from timm.data.constants import IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD
from torch import Tensor, nn

from pipeline.channels import Channels
from pipeline.config import ReferenceUse
from pipeline.models.reference import input_shape, network_inputs


class ImageInput(nn.Module):
    """N x C x H x W, 0..1, H and W multiples of `step` -> the normalised image, and no features.

    channels: C, those of an image and of its reference behind it.
    reference: how the channels of image and reference are seen.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, channels: Channels, step: int, reference: ReferenceUse = "concat") -> None:
        super().__init__()
        self.image_channels = channels.image
        self.reference: ReferenceUse = reference
        inputs, self.in_channels = input_shape(reference, channels)
        assert inputs == 1, f"reference: {reference} needs an encoder"
        for name, of_rgb in (("mean", IMAGENET_DEFAULT_MEAN), ("std", IMAGENET_DEFAULT_STD)):
            values = [of_rgb[number % len(of_rgb)] for number in range(self.in_channels)]
            self.register_buffer(name, torch.tensor(values)[None, :, None, None], persistent=False)
        self.step = step
        self.output_stride = 1
        self.channels: Sequence[int] = ()

    def shown(self, images: Tensor) -> Tensor:
        """What the network sees of them, N x `in_channels` x H x W."""
        (seen,) = network_inputs(images, self.reference, self.image_channels)
        return (seen - self.mean) / self.std

    def forward(self, images: Tensor) -> list[Tensor]:
        return []
