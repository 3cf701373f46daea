"""The encoder: five features at exact reductions, from any network."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from pipeline.channels import Channels
from pipeline.config import ReferenceUse
from pipeline.models.grafting.channels import per_channel, repeated
from pipeline.models.grafting.fill_levels import FillLevels
from pipeline.models.grafting.graft import Graft
from pipeline.models.grafting.plan import LEVELS
from pipeline.models.grafting.stitch import Stitched
from pipeline.models.reference import input_shape, network_inputs


class Encoder(nn.Module):
    """N x C x H x W, 0..1, H and W multiples of `step` -> five N x c x H/r x W/r.

    r = 2, 4, 8, 16, 32; a dilated graft stays at its `output_stride` beyond it.
    channels: C, those of an image and of its reference behind it.
    finest: the finest level that is asked for; a finer one that the graft does not have is left
        empty (N x 0 x H/r x W/r).
    reference: how the channels of image and reference are seen; where both go through the same
        network, their features are put one behind the other.
    mean, std: of red, green and blue, that the network was trained with.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        graft: Graft | Stitched,
        channels: Channels,
        finest: int = LEVELS[0],
        reference: ReferenceUse = "concat",
    ) -> None:
        super().__init__()
        self.graft = graft
        self.image_channels = channels.image
        self.reference: ReferenceUse = reference
        inputs, seen = input_shape(reference, channels)
        self.in_channels = inputs * seen
        for name, values in (("mean", graft.mean), ("std", graft.std)):
            self.register_buffer(name, per_channel(values, seen), persistent=False)
        self.fill = FillLevels(graft.channels, self.mean.shape[1], finest)
        self.step = graft.step
        self.output_stride = graft.output_stride
        self.channels: Sequence[int] = [
            self.fill.channels.get(level, 0) * inputs for level in LEVELS
        ]

    def shown(self, images: Tensor) -> Tensor:
        """What the network may see of them, N x `in_channels` x H x W."""
        inputs = network_inputs(images, self.reference, self.image_channels)
        return inputs[0] if len(inputs) == 1 else torch.cat(inputs, dim=1)

    def forward(self, images: Tensor) -> list[Tensor]:
        inputs = network_inputs(images, self.reference, self.image_channels)
        if len(inputs) == 1:
            return self._features(inputs[0])
        together = self._features(torch.cat(inputs))
        return [torch.cat(feature.chunk(len(inputs)), dim=1) for feature in together]

    def _features(self, images: Tensor) -> list[Tensor]:
        normalised = (repeated(images) - self.mean) / self.std
        complete = self.fill(normalised, self.graft(normalised))
        return [
            complete[level] if level in complete else _nothing(images, level) for level in LEVELS
        ]


def _nothing(images: Tensor, level: int) -> Tensor:
    count, _, height, width = images.shape
    return images.new_zeros(count, 0, height // level, width // level)
