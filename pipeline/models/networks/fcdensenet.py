"""FC-DenseNet, "the one hundred layers Tiramisu" (Jégou et al. 2017, arXiv 1611.09326).

Dense blocks on the way down keep all features; on the way up only the features that a block has
added are enlarged, so that their number does not grow with the size. The last block keeps all.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from pipeline.models.decoders.heads import head
from pipeline.models.decoders.parts import Parts

FIRST_CHANNELS = 48
_DROPOUT = 0.2


def fcdensenet56(image: int, classes: int, *, dropout: float = _DROPOUT) -> Parts:
    """FC-DenseNet56 (Jégou et al. 2017)."""
    return _fcdensenet(image, classes, 12, (4, 4, 4, 4, 4, 4), dropout)


def fcdensenet67(image: int, classes: int, *, dropout: float = _DROPOUT) -> Parts:
    """FC-DenseNet67 (Jégou et al. 2017)."""
    return _fcdensenet(image, classes, 16, (5, 5, 5, 5, 5, 5), dropout)


def fcdensenet103(image: int, classes: int, *, dropout: float = _DROPOUT) -> Parts:
    """FC-DenseNet103 (Jégou et al. 2017)."""
    return _fcdensenet(image, classes, 16, (4, 5, 7, 10, 12, 15), dropout)


def _fcdensenet(
    image: int, classes: int, growth: int, layers: Sequence[int], dropout: float
) -> Parts:
    decoder = FcDenseNet(image, growth, layers, dropout)
    return Parts(decoder, head(decoder.channels, classes, kernel=1))


class FcDenseNet(nn.Module):
    """[image N x C x H x W], H and W multiples of 32 -> N x channels x H x W.

    growth: the features that a layer adds; layers: of the blocks on the way down, the deepest
    last, which are repeated on the way up.
    """

    def __init__(self, image: int, growth: int, layers: Sequence[int], dropout: float) -> None:
        super().__init__()
        *depths, deepest = layers
        self.first = nn.Conv2d(image, FIRST_CHANNELS, 3, padding=1)
        self.down, self.shrink = nn.ModuleList(), nn.ModuleList()
        channels, skips = FIRST_CHANNELS, []
        for depth in depths:
            self.down.append(DenseBlock(channels, growth, depth, dropout))
            channels += growth * depth
            skips.append(channels)
            self.shrink.append(_layer(channels, channels, 1, dropout).append(nn.MaxPool2d(2)))
        self.deepest = DenseBlock(channels, growth, deepest, dropout)
        self.enlarge, self.up = nn.ModuleList(), nn.ModuleList()
        added = growth * deepest
        for depth, skip in zip(reversed(depths), reversed(skips), strict=True):
            self.enlarge.append(Enlarge(added))
            self.up.append(DenseBlock(skip + added, growth, depth, dropout))
            channels = skip + added + growth * depth
            added = growth * depth
        self.channels = channels

    def forward(self, images: Sequence[Tensor]) -> Tensor:
        (image,) = images
        x = self.first(image)
        skips = []
        for block, shrink in zip(self.down, self.shrink, strict=True):
            x = torch.cat([x, block(x)], dim=1)
            skips.append(x)
            x = shrink(x)
        added: Tensor = self.deepest(x)
        for enlarge, block, skip in zip(self.enlarge, self.up, reversed(skips), strict=True):
            x = torch.cat([enlarge(added), skip], dim=1)
            added = block(x)
        return torch.cat([x, added], dim=1)


class DenseBlock(nn.Module):
    """N x channels x H x W -> the features that its layers add, N x growth * depth x H x W.

    Each layer sees the block's input and what the layers before it have added.
    """

    def __init__(self, channels: int, growth: int, depth: int, dropout: float) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            _layer(channels + growth * number, growth, 3, dropout) for number in range(depth)
        )

    def forward(self, x: Tensor) -> Tensor:
        added: list[Tensor] = []
        for layer in self.layers:
            added.append(layer(torch.cat([x, *added], dim=1)))
        return torch.cat(added, dim=1)


class Enlarge(nn.Module):
    """N x c x H x W -> N x c x 2H x 2W by a transposed convolution, its last row and column cut."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.transposed = nn.ConvTranspose2d(channels, channels, 3, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        enlarged: Tensor = self.transposed(x)
        return enlarged[..., :-1, :-1]


def _layer(channels: int, out: int, kernel: int, dropout: float) -> nn.Sequential:
    return nn.Sequential(
        nn.BatchNorm2d(channels),
        nn.ReLU(inplace=True),
        nn.Conv2d(channels, out, kernel, padding=kernel // 2),
        nn.Dropout(dropout),
    )
