"""Pyramid attention network (Li et al. 2018, arXiv 1805.10180).

The deepest feature is weighted by a small pyramid of large kernels, and each finer feature by what
the whole image has of the one below it. SMP has this decoder too; it aligns corners, cannot pool
maps of less than 8 x 8 cells and does not train on one image. As in SMP, the map has 32 channels
and the pyramid one.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from pipeline.models.decoders.heads import head
from pipeline.models.decoders.layers import PooledNorm, convolution, resized
from pipeline.models.decoders.parts import Features, Parts

WIDTH = 32
_KERNELS = (7, 5, 3)


def pan(features: Features, classes: int) -> Parts:
    """Pyramid attention network (Li et al. 2018)."""
    return Parts(PanDecoder(features.channels[1:]), head(WIDTH, classes, kernel=3, scale=4))


class PanDecoder(nn.Module):
    """[image, five features] -> N x 32 x H/4 x W/4; channels: of the last four features."""

    def __init__(self, channels: Sequence[int]) -> None:
        super().__init__()
        *finer, deepest = channels
        self.pyramid = PyramidAttention(deepest)
        self.lift = nn.ModuleList(AttentionUpsample(each) for each in finer)

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        *finer, deepest = features[2:]
        x: Tensor = self.pyramid(deepest)
        for lift, feature in zip(reversed(self.lift), reversed(finer), strict=True):
            x = lift(feature, x)
        return x


class PyramidAttention(nn.Module):
    """Feature pyramid attention: N x c x H x W -> N x 32 x H x W, H and W of any size.

    Three poolings, each seen by one kernel on the way down and one on the way up, weight the
    places; the mean of the image is added.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.whole = _pooled(channels)
        self.keep = convolution(channels, WIDTH, kernel=1)
        given = (channels, 1, 1)
        self.down = nn.ModuleList(map(_single, given, _KERNELS))
        self.side = nn.ModuleList(_single(1, kernel) for kernel in _KERNELS)

    def forward(self, feature: Tensor) -> Tensor:
        levels = [feature]
        for down in self.down:
            levels.append(down(F.max_pool2d(levels[-1], 2, ceil_mode=True)))
        *finer, deepest = [side(each) for side, each in zip(self.side, levels[1:], strict=True)]
        total: Tensor = deepest
        for each in reversed(finer):
            total = each + resized(total, each.shape[2:])
        size = feature.shape[2:]
        attended: Tensor = self.keep(feature) * resized(total, size)
        return attended + resized(self.whole(feature), size)


class AttentionUpsample(nn.Module):
    """Global attention upsample: a finer feature, and N x 32 x h x w from below -> N x 32 x H x W.

    What comes from below weights the channels of the finer feature, and is added.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.narrow = convolution(channels, WIDTH)
        self.weigh = _pooled(WIDTH)

    def forward(self, finer: Tensor, below: Tensor) -> Tensor:
        total: Tensor = self.narrow(finer) * self.weigh(below) + resized(below, finer.shape[2:])
        return total


def _pooled(channels: int) -> nn.Sequential:
    """N x c x H x W -> N x 32 x 1 x 1."""
    return nn.Sequential(
        nn.AdaptiveAvgPool2d(1),
        nn.Conv2d(channels, WIDTH, 1, bias=False),
        PooledNorm(WIDTH),
        nn.ReLU(inplace=True),
    )


def _single(channels: int, kernel: int) -> nn.Sequential:
    """N x c x H x W -> N x 1 x H x W, which may be a single value."""
    return nn.Sequential(
        nn.Conv2d(channels, 1, kernel, padding=kernel // 2, bias=False),
        PooledNorm(1),
        nn.ReLU(inplace=True),
    )
