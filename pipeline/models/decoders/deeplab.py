"""DeepLab v1, v2 and v3: one, four added, and four joined views of a dilated encoder's feature.

v1: Chen et al. 2015, arXiv 1412.7062 (large field of view); v2: Chen et al. 2018, arXiv 1606.00915
(pyramid of dilated convolutions, added up); v3: Chen et al. 2017, arXiv 1706.05587 (joined, with
the mean of the image). v3+ has a file of its own.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from pipeline.models.decoders.heads import auxiliary_head, head
from pipeline.models.decoders.layers import Deepest, PooledNorm, convolution, resized
from pipeline.models.decoders.parts import LIGHT, PYRAMID_CHANNELS, Features, Parts

# Rates are the papers', of a stride of 8; at others they see as many pixels.
FIELD_CHANNELS, FIELD_RATE = 1024, 12
ADDED_RATES = (6, 12, 18, 24)
JOINED_RATES = (12, 24, 36)
AUXILIARY_WEIGHT = 0.4
_STRIDE = 8


def deeplabv1(features: Features, classes: int) -> Parts:
    """DeepLab with a large field of view (Chen et al. 2015)."""
    (rate,) = _rates([FIELD_RATE], features)
    field = nn.Sequential(
        Deepest(),
        nn.Conv2d(features.channels[-1], FIELD_CHANNELS, 3, padding=rate, dilation=rate),
        nn.ReLU(inplace=True),
        nn.Dropout(0.5),
        nn.Conv2d(FIELD_CHANNELS, FIELD_CHANNELS, 1),
        nn.ReLU(inplace=True),
        nn.Dropout(0.5),
    )
    return Parts(field, head(FIELD_CHANNELS, classes, kernel=1, scale=features.output_stride))


def deeplabv2(features: Features, classes: int) -> Parts:
    """DeepLab v2 (Chen et al. 2018)."""
    added = AddedPyramid(features.channels[-1], classes, _rates(ADDED_RATES, features))
    enlarge = nn.Upsample(scale_factor=features.output_stride, mode="bilinear", align_corners=False)
    return Parts(added, enlarge)


def deeplabv3(features: Features, classes: int) -> Parts:
    """DeepLab v3 (Chen et al. 2017)."""
    stride = features.output_stride
    decoder = nn.Sequential(
        JoinedPyramid(features.channels[-1], _rates(JOINED_RATES, features)),
        convolution(PYRAMID_CHANNELS, PYRAMID_CHANNELS),
    )
    last = head(PYRAMID_CHANNELS, classes, kernel=1, scale=stride)
    if stride == LIGHT:
        return Parts(decoder, last)
    auxiliary = auxiliary_head(features.channels[-2], classes, scale=stride)
    return Parts(decoder, last, auxiliary, AUXILIARY_WEIGHT)


def _rates(rates: Sequence[int], features: Features) -> list[int]:
    return [max(1, rate * _STRIDE // features.output_stride) for rate in rates]


class AddedPyramid(nn.Module):
    """[image, five features] -> scores: the sum of four dilated convolutions of the deepest."""

    def __init__(self, channels: int, classes: int, rates: Sequence[int]) -> None:
        super().__init__()
        self.views = nn.ModuleList(
            nn.Conv2d(channels, classes, 3, padding=rate, dilation=rate) for rate in rates
        )

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        return torch.stack([view(features[-1]) for view in self.views]).sum(dim=0)


class JoinedPyramid(nn.Module):
    """[image, five features] -> N x 256 at the deepest one's size."""

    def __init__(self, channels: int, rates: Sequence[int]) -> None:
        super().__init__()
        width = PYRAMID_CHANNELS
        self.views = nn.ModuleList(
            [
                convolution(channels, width, kernel=1),
                *(convolution(channels, width, dilation=rate) for rate in rates),
            ]
        )
        self.whole = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(channels, width, 1, bias=False),
            PooledNorm(width),
            nn.ReLU(inplace=True),
        )
        joined = (len(rates) + 2) * width
        self.project = nn.Sequential(*convolution(joined, width, kernel=1), nn.Dropout(0.5))

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        deepest = features[-1]
        seen = [view(deepest) for view in self.views]
        seen.append(resized(self.whole(deepest), deepest.shape[2:]))
        projected: Tensor = self.project(torch.cat(seen, dim=1))
        return projected
