"""Bilateral segmentation network (Yu et al. 2018, arXiv 1808.00897).

A shallow path of three strided convolutions keeps places, the encoder knows the context; both meet
at 1/8 of the size. The paper's two auxiliary losses are those of `auxiliary: deep_supervision`.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from pipeline.models.decoders.heads import head
from pipeline.models.decoders.layers import PooledNorm, convolution, resized
from pipeline.models.decoders.parts import Features, Parts

SPATIAL, CONTEXT, FUSED = 64, 128, 256
_STRIDE = 8


def bisenet(features: Features, classes: int) -> Parts:
    """Bilateral segmentation network (Yu et al. 2018)."""
    last = nn.Sequential(convolution(FUSED, FUSED), *head(FUSED, classes, kernel=1, scale=_STRIDE))
    return Parts(BisenetDecoder(features.image, features.channels[-2:]), last)


class BisenetDecoder(nn.Module):
    """[image, five features] -> N x 256 x H/8 x W/8; channels: at 1/16 and at 1/32."""

    def __init__(self, image: int, channels: Sequence[int]) -> None:
        super().__init__()
        self.spatial = nn.Sequential(
            convolution(image, SPATIAL, kernel=7, stride=2),
            convolution(SPATIAL, SPATIAL, stride=2),
            convolution(SPATIAL, SPATIAL, stride=2),
            convolution(SPATIAL, CONTEXT, kernel=1),
        )
        self.whole = _pooled(channels[1], nn.ReLU(inplace=True))
        self.attend16, self.attend32 = (_Attention(each) for each in channels)
        self.refine16, self.refine32 = (convolution(CONTEXT, CONTEXT) for _ in range(2))
        self.fuse = _Fusion()

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        image, sixteenth, deepest = features[0], *features[-2:]
        place = self.spatial(image)
        x = self.attend32(deepest) + self.whole(deepest)
        x = self.refine32(resized(x, sixteenth.shape[2:]))
        x = self.refine16(resized(x + self.attend16(sixteenth), place.shape[2:]))
        fused: Tensor = self.fuse(torch.cat([place, x], dim=1))
        return fused


class _Attention(nn.Module):
    """Attention refinement: a feature, each channel weighted by what the whole image has of it."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.narrow = convolution(channels, CONTEXT)
        self.weigh = _pooled(CONTEXT, nn.Sigmoid())

    def forward(self, feature: Tensor) -> Tensor:
        narrow = self.narrow(feature)
        weighted: Tensor = narrow * self.weigh(narrow)
        return weighted


class _Fusion(nn.Module):
    """Feature fusion: both paths mixed, and each channel strengthened by its weight."""

    def __init__(self) -> None:
        super().__init__()
        self.mix = convolution(2 * CONTEXT, FUSED, kernel=1)
        self.weigh = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(FUSED, FUSED // 4, 1, bias=False),
            nn.ReLU(inplace=True),
            nn.Conv2d(FUSED // 4, FUSED, 1, bias=False),
            nn.Sigmoid(),
        )

    def forward(self, paths: Tensor) -> Tensor:
        mixed = self.mix(paths)
        strengthened: Tensor = mixed + mixed * self.weigh(mixed)
        return strengthened


def _pooled(channels: int, activation: nn.Module) -> nn.Sequential:
    """N x c x H x W -> N x 128 x 1 x 1."""
    return nn.Sequential(
        nn.AdaptiveAvgPool2d(1),
        nn.Conv2d(channels, CONTEXT, 1, bias=False),
        PooledNorm(CONTEXT),
        activation,
    )
