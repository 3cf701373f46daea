"""The all-MLP decoder of SegFormer (Xie et al. 2021, arXiv 2105.15203), for any encoder.

Four features are brought to one width and to the size of the finest, and mixed at each place. The
width is that of SegFormer-B0 and B1.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from pipeline.models.decoders.heads import head
from pipeline.models.decoders.layers import convolution, resized
from pipeline.models.decoders.parts import Features, Parts

WIDTH = 256


def segformer(features: Features, classes: int) -> Parts:
    """SegFormer's decoder (Xie et al. 2021)."""
    last = nn.Sequential(nn.Dropout2d(0.1), *head(WIDTH, classes, kernel=1, scale=4))
    return Parts(SegformerDecoder(features.channels[1:]), last)


class SegformerDecoder(nn.Module):
    """[image, five features] -> N x 256 x H/4 x W/4; channels: of the last four features."""

    def __init__(self, channels: Sequence[int]) -> None:
        super().__init__()
        self.bring = nn.ModuleList(nn.Conv2d(each, WIDTH, 1) for each in channels)
        self.mix = convolution(WIDTH * len(channels), WIDTH, kernel=1)

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        size = features[2].shape[2:]
        steps = zip(self.bring, features[2:], strict=True)
        brought = [resized(bring(feature), size) for bring, feature in steps]
        mixed: Tensor = self.mix(torch.cat(brought[::-1], dim=1))
        return mixed
