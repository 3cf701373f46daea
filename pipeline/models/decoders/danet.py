"""Dual attention network (Fu et al. 2019, arXiv 1809.02983).

In one branch every place gathers what is alike at any place, in the other every channel what is
alike in any channel; both begin as the identity, and are added up.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pipeline.models.decoders.heads import head
from pipeline.models.decoders.layers import convolution
from pipeline.models.decoders.parts import Features, Parts

_NARROWING = 4
_KEYS = 8


def danet(features: Features, classes: int) -> Parts:
    """Dual attention network (Fu et al. 2019)."""
    width = max(features.channels[-1] // _NARROWING, _KEYS)
    last = head(width, classes, kernel=1, scale=features.output_stride)
    return Parts(
        DanetDecoder(features.channels[-1], width), nn.Sequential(nn.Dropout2d(0.1), *last)
    )


class DanetDecoder(nn.Module):
    """[image, five features] -> N x width at the deepest one's size."""

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.branches = nn.ModuleList(
            nn.Sequential(convolution(channels, width), attention, convolution(width, width))
            for attention in (PositionAttention(width), ChannelAttention())
        )

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        places, channels = [branch(features[-1]) for branch in self.branches]
        total: Tensor = places + channels
        return total


class PositionAttention(nn.Module):
    """N x c x H x W, plus `scale` times the mean over all places, weighted by likeness."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.query = nn.Conv2d(channels, channels // _KEYS, 1)
        self.key = nn.Conv2d(channels, channels // _KEYS, 1)
        self.value = nn.Conv2d(channels, channels, 1)
        self.scale = nn.Parameter(torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        query, key, value = (
            made(x).flatten(2).transpose(1, 2) for made in (self.query, self.key, self.value)
        )
        # no table of places x places is kept; the paper does not divide by the root of the channels
        gathered = F.scaled_dot_product_attention(query, key, value, scale=1.0)
        total: Tensor = x + self.scale * gathered.transpose(1, 2).reshape(x.shape)
        return total


class ChannelAttention(nn.Module):
    """N x c x H x W, plus `scale` times the mean over all channels, weighted by unlikeness.

    The weights are those of the authors' code: the largest product of a channel minus its product
    with each other one, so that softmax cannot overflow.
    """

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        flat = x.flatten(2)
        products = flat @ flat.transpose(1, 2)
        weights = (products.amax(dim=2, keepdim=True) - products).softmax(dim=2)
        total: Tensor = x + self.scale * (weights @ flat).reshape(x.shape)
        return total
