"""Attention that other decoders can be given: of channels and places, and between places."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from pipeline.models.decoders.layers import OwnStart

_SQUEEZE = 16


class Scse(nn.Module):
    """Concurrent spatial and channel squeeze and excitation (Roy et al. 2018, arXiv 1803.02579).

    N x c x H x W -> the same, weighted by channel, plus the same, weighted by place.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        squeezed = max(channels // _SQUEEZE, 1)
        self.by_channel = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(channels, squeezed, 1),
            nn.ReLU(inplace=True),
            nn.Conv2d(squeezed, channels, 1),
            nn.Sigmoid(),
        )
        self.by_place = nn.Sequential(nn.Conv2d(channels, 1, 1), nn.Sigmoid())

    def forward(self, feature: Tensor) -> Tensor:
        weighted: Tensor = feature * self.by_channel(feature) + feature * self.by_place(feature)
        return weighted


def end_in_attention(blocks: Iterable[Any]) -> None:
    """Let each block of SMP's U-Nets end in attention.

    SMP's own option also puts it where the last block, which has no skip, never comes by.
    """
    for block in blocks:
        block.attention2 = Scse(block.conv2[0].out_channels)


class NonLocal(OwnStart):
    """Non-local block, embedded Gaussian (Wang et al. 2018, arXiv 1711.07971).

    N x c x H x W -> the same, plus what every place gathers from all places; nothing at first.
    Time grows with the square of H x W: it is meant for an encoder's deepest feature.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        inner = max(channels // 2, 1)
        self.query = nn.Conv2d(channels, inner, 1)
        self.key = nn.Conv2d(channels, inner, 1)
        self.value = nn.Conv2d(channels, inner, 1)
        self.expand = nn.Conv2d(inner, channels, 1)
        self.norm = nn.BatchNorm2d(channels)
        self.start()

    def start(self) -> None:
        nn.init.zeros_(self.norm.weight)

    def forward(self, feature: Tensor) -> Tensor:
        query, key, value = (
            made(feature).flatten(2).transpose(1, 2) for made in (self.query, self.key, self.value)
        )
        gathered = F.scaled_dot_product_attention(query, key, value, scale=1.0)
        count, (height, width) = feature.shape[0], feature.shape[2:]
        places = gathered.transpose(1, 2).reshape(count, -1, height, width)
        total: Tensor = feature + self.norm(self.expand(places))
        return total
