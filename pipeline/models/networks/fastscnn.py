"""Fast-SCNN (Poudel, Liwicki & Cipolla 2019, arXiv 1902.04502).

Three strided layers are shared by two branches: one keeps 1/8 of the image, the other learns the
context at 1/32; their sum is classified. The paper's auxiliary losses are those of
`auxiliary: deep_supervision`, of the branch at 1/32 alone.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pipeline.models.decoders.heads import head
from pipeline.models.decoders.layers import (
    PooledNorm,
    binned,
    convolution,
    normalised,
    resized,
)
from pipeline.models.decoders.parts import Parts

CHANNELS = 128
STRIDE = 8
BINS = (1, 2, 3, 6)
_EXPANSION = 6
_FIRST, _SHARED = 32, 64
_BLOCKS = 3
_FUSION_DILATION = 4
_DROPOUT = 0.1


def fastscnn(image: int, classes: int, *, dropout: float = _DROPOUT) -> Parts:
    """Fast-SCNN (Poudel et al. 2019); dropout: before the last convolution."""
    last = head(CHANNELS, classes, kernel=1, scale=STRIDE)
    return Parts(FastScnn(image), nn.Sequential(nn.Dropout(dropout), *last))


class FastScnn(nn.Module):
    """[image N x C x H x W], H and W multiples of 32 -> N x 128 x H/8 x W/8."""

    def __init__(self, image: int) -> None:
        super().__init__()
        self.shared = nn.Sequential(
            normalised(image, _FIRST, 3, stride=2),
            nn.ReLU(inplace=True),
            _separable(_FIRST, 48, stride=2),
            _separable(48, _SHARED, stride=2),
        )
        self.context = nn.Sequential(
            *_level(_SHARED, 64, stride=2),
            *_level(64, 96, stride=2),
            *_level(96, CHANNELS, stride=1),
            PyramidPooling(CHANNELS),
        )
        self.fine = normalised(_SHARED, CHANNELS, 1)
        self.coarse = nn.Sequential(
            normalised(CHANNELS, CHANNELS, 3, dilation=_FUSION_DILATION, groups=CHANNELS),
            nn.ReLU(inplace=True),
            normalised(CHANNELS, CHANNELS, 1),
        )
        self.classify = nn.Sequential(*(_separable(CHANNELS, CHANNELS) for _ in range(2)))

    def forward(self, images: Sequence[Tensor]) -> Tensor:
        (image,) = images
        shared = self.shared(image)
        context = resized(self.context(shared), shared.shape[2:])
        fused = F.relu(self.fine(shared) + self.coarse(context))
        classified: Tensor = self.classify(fused)
        return classified


class PyramidPooling(nn.Module):
    """A feature with its means of 1, 2 x 2, 3 x 3 and 6 x 6 parts of the image (PSPNet)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        quarter = channels // len(BINS)
        self.views = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(channels, quarter, 1, bias=False),
                PooledNorm(quarter),
                nn.ReLU(inplace=True),
            )
            for _ in BINS
        )
        self.join = convolution(2 * channels, channels, kernel=1)

    def forward(self, feature: Tensor) -> Tensor:
        steps = zip(self.views, BINS, strict=True)
        seen = [resized(view(binned(feature, bins)), feature.shape[2:]) for view, bins in steps]
        joined: Tensor = self.join(torch.cat([feature, *seen], dim=1))
        return joined


class InvertedResidual(nn.Module):
    """A wide depthwise convolution between two narrow features (MobileNetV2)."""

    def __init__(self, channels: int, out: int, stride: int) -> None:
        super().__init__()
        wide = channels * _EXPANSION
        self.adds = stride == 1 and channels == out
        self.branch = nn.Sequential(
            convolution(channels, wide, kernel=1),
            normalised(wide, wide, 3, stride, groups=wide),
            nn.ReLU(inplace=True),
            normalised(wide, out, 1),
        )

    def forward(self, x: Tensor) -> Tensor:
        changed: Tensor = self.branch(x)
        return x + changed if self.adds else changed


def _level(channels: int, out: int, stride: int) -> list[InvertedResidual]:
    others = (InvertedResidual(out, out, stride=1) for _ in range(_BLOCKS - 1))
    return [InvertedResidual(channels, out, stride), *others]


def _separable(channels: int, out: int, stride: int = 1) -> nn.Sequential:
    """A depthwise and a pointwise convolution, with no ReLU between them, as in the paper."""
    return nn.Sequential(
        normalised(channels, channels, 3, stride, groups=channels),
        normalised(channels, out, 1),
        nn.ReLU(inplace=True),
    )
