"""SegNet (Badrinarayanan, Kendall & Cipolla 2017, arXiv 1511.00561).

The encoder has the thirteen convolutions of VGG-16; the decoder mirrors them, and puts values
back to where the encoder's pooling found them instead of joining features.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn

from pipeline.models.decoders.heads import head
from pipeline.models.decoders.parts import Parts
from pipeline.models.networks.layers import pooled, unpooled

WIDTHS = (1, 2, 4, 8, 8)
"""Channels of the five stages, as multiples of the first one's."""
DEPTHS = (2, 2, 3, 3, 3)
"""Convolutions of the five stages."""


def segnet(image: int, classes: int, *, width: int = 64) -> Parts:
    """SegNet (Badrinarayanan et al. 2017); width: channels of the finest stage.

    The last convolution of the mirrored decoder classifies: it is the head.
    """
    return Parts(SegNet(image, width), head(width, classes, kernel=3))


class SegNet(nn.Module):
    """[image N x C x H x W], H and W multiples of 32 -> N x width x H x W."""

    def __init__(self, image: int, width: int) -> None:
        super().__init__()
        widths = [width * each for each in WIDTHS]
        before = [image, *widths[:-1]]
        stages = list(zip(before, widths, DEPTHS, strict=True))
        self.down = nn.ModuleList(_stage([inputs, *[out] * depth]) for inputs, out, depth in stages)
        finest, *others = stages
        self.up = nn.ModuleList(
            _stage([*[out] * depth, inputs]) for inputs, out, depth in reversed(others)
        )
        self.up.append(_stage([finest[1]] * finest[2]))  # its last convolution is the head

    def forward(self, images: Sequence[Tensor]) -> Tensor:
        (x,) = images
        places = []
        for stage in self.down:
            x, indices = pooled(stage(x))
            places.append(indices)
        for stage, indices in zip(self.up, reversed(places), strict=True):
            x = stage(unpooled(x, indices))
        return x


def _stage(channels: Sequence[int]) -> nn.Sequential:
    """Convolutions from each number of channels to the next, with biases as those of VGG-16."""
    layers: list[nn.Module] = []
    for inputs, out in pairwise(channels):
        layers.append(nn.Conv2d(inputs, out, 3, padding=1))
        layers.append(nn.BatchNorm2d(out))
        layers.append(nn.ReLU(inplace=True))
    return nn.Sequential(*layers)
