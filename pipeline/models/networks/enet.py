"""ENet (Paszke, Chaurasia, Kim & Culurciello 2016, arXiv 1606.02147).

A large encoder of bottlenecks, dilated and asymmetric ones among them, and a small decoder that
puts values back to where the encoder's pooling found them. Convolutions have no biases.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pipeline.models.decoders.parts import Parts
from pipeline.models.networks.layers import pooled, unpooled

FILTERS = 13
_MIDDLE, _DEEP = 64, 128
_INTERNAL = 4
_DROPOUT = 0.1
_EARLY = 0.1  # part of the dropout that the bottlenecks before the second reduction have
_ASYMMETRIC = 5


def enet(image: int, classes: int, *, dropout: float = _DROPOUT) -> Parts:
    """ENet (Paszke et al. 2016).

    dropout: of whole channels in each bottleneck; a tenth of it before the second reduction.
    """
    decoder = ENet(image, dropout)
    return Parts(decoder, nn.ConvTranspose2d(FILTERS + image, classes, 2, stride=2))


class ENet(nn.Module):
    """[image N x C x H x W], H and W multiples of 8 -> N x (13 + C) x H/2 x W/2."""

    def __init__(self, image: int, dropout: float) -> None:
        super().__init__()
        first = FILTERS + image
        early = _EARLY * dropout
        self.first = _First(image)
        self.reduce1 = Reduction(first, _MIDDLE, early)
        self.stage1 = nn.Sequential(*(Bottleneck(_MIDDLE, early) for _ in range(4)))
        self.reduce2 = Reduction(_MIDDLE, _DEEP, dropout)
        self.stage2 = nn.Sequential(*_context(dropout))
        self.stage3 = nn.Sequential(*_context(dropout))
        self.enlarge4 = Enlargement(_DEEP, _MIDDLE, dropout)
        self.stage4 = nn.Sequential(*(Bottleneck(_MIDDLE, dropout, relu=True) for _ in range(2)))
        self.enlarge5 = Enlargement(_MIDDLE, first, dropout)
        self.stage5 = Bottleneck(first, dropout, relu=True)

    def forward(self, images: Sequence[Tensor]) -> Tensor:
        (image,) = images
        x, places1 = self.reduce1(self.first(image))
        x, places2 = self.reduce2(self.stage1(x))
        x = self.stage3(self.stage2(x))
        x = self.stage4(self.enlarge4(x, places2))
        last: Tensor = self.stage5(self.enlarge5(x, places1))
        return last


class _First(nn.Module):
    """Image -> 13 filters of it and its own maxima, N x (13 + C) x H/2 x W/2."""

    def __init__(self, image: int) -> None:
        super().__init__()
        self.filters = nn.Conv2d(image, FILTERS, 3, stride=2, padding=1, bias=False)
        self.finish = nn.Sequential(nn.BatchNorm2d(FILTERS + image), nn.PReLU(FILTERS + image))

    def forward(self, image: Tensor) -> Tensor:
        both = torch.cat([self.filters(image), F.max_pool2d(image, 2)], dim=1)
        finished: Tensor = self.finish(both)
        return finished


class Bottleneck(nn.Module):
    """A residual block through a quarter of the channels; `relu`: no learned slopes."""

    def __init__(
        self,
        channels: int,
        dropout: float,
        *,
        dilation: int = 1,
        asymmetric: bool = False,
        relu: bool = False,
    ) -> None:
        super().__init__()
        internal = channels // _INTERNAL
        self.branch = _branch(
            nn.Conv2d(channels, internal, 1, bias=False),
            _asymmetric(internal) if asymmetric else _dilated(internal, dilation),
            internal,
            channels,
            dropout,
            relu=relu,
        )
        self.activation = _activation(channels, relu)

    def forward(self, x: Tensor) -> Tensor:
        activated: Tensor = self.activation(x + self.branch(x))
        return activated


class Reduction(nn.Module):
    """N x c x H x W -> N x out x H/2 x W/2 and the indices of the maxima, which the sum contains.

    The maxima's channels are filled up with zeros, or cut where there are more than `out`.
    """

    def __init__(self, channels: int, out: int, dropout: float) -> None:
        super().__init__()
        internal = out // _INTERNAL
        self.missing = out - channels
        strided = nn.Conv2d(channels, internal, 2, stride=2, bias=False)
        self.branch = _branch(strided, _dilated(internal), internal, out, dropout)
        self.activation = nn.PReLU(out)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        maxima, indices = pooled(x)
        filled = F.pad(maxima, (0, 0, 0, 0, 0, self.missing))
        return self.activation(filled + self.branch(x)), indices


class Enlargement(nn.Module):
    """N x c x H x W and indices of `out` channels -> N x out x 2H x 2W."""

    def __init__(self, channels: int, out: int, dropout: float) -> None:
        super().__init__()
        internal = max(out // _INTERNAL, 1)
        self.main = nn.Sequential(
            nn.Conv2d(channels, out, 1, bias=False),
            nn.BatchNorm2d(out),
        )
        self.branch = _branch(
            nn.Conv2d(channels, internal, 1, bias=False),
            nn.ConvTranspose2d(internal, internal, 3, 2, 1, output_padding=1, bias=False),
            internal,
            out,
            dropout,
            relu=True,
        )

    def forward(self, x: Tensor, indices: Tensor) -> Tensor:
        return F.relu(unpooled(self.main(x), indices) + self.branch(x))


def _context(dropout: float) -> Iterator[Bottleneck]:
    """The eight bottlenecks of the second and of the third stage."""
    for first, second in ((2, 4), (8, 16)):
        yield Bottleneck(_DEEP, dropout)
        yield Bottleneck(_DEEP, dropout, dilation=first)
        yield Bottleneck(_DEEP, dropout, asymmetric=True)
        yield Bottleneck(_DEEP, dropout, dilation=second)


def _branch(
    narrow: nn.Module,
    spatial: nn.Module,
    internal: int,
    out: int,
    dropout: float,
    *,
    relu: bool = False,
) -> nn.Sequential:
    return nn.Sequential(
        narrow,
        nn.BatchNorm2d(internal),
        _activation(internal, relu),
        spatial,
        nn.BatchNorm2d(internal),
        _activation(internal, relu),
        nn.Conv2d(internal, out, 1, bias=False),
        nn.BatchNorm2d(out),
        nn.Dropout2d(dropout),
    )


def _dilated(channels: int, dilation: int = 1) -> nn.Conv2d:
    return nn.Conv2d(channels, channels, 3, padding=dilation, dilation=dilation, bias=False)


def _asymmetric(channels: int) -> nn.Sequential:
    tall, wide = (_ASYMMETRIC, 1), (1, _ASYMMETRIC)
    return nn.Sequential(
        nn.Conv2d(channels, channels, tall, padding="same", bias=False),
        nn.Conv2d(channels, channels, wide, padding="same", bias=False),
    )


def _activation(channels: int, relu: bool) -> nn.Module:
    return nn.ReLU(inplace=True) if relu else nn.PReLU(channels)
