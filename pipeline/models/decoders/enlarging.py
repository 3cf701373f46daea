"""Layers that double the size of a map, by the name of the option `upsampling`.

A transposed convolution whose kernel is no multiple of its stride gives some places more weights
than their neighbours: a checkerboard (Odena et al. 2016, doi 10.23915/distill.00003). The other
ways begin without one.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import nn

from pipeline.models.decoders.layers import OwnStart, bilinear_kernel

Upsampling = Literal["transposed", "bilinear", "resize", "shuffle"]
_FACTOR = 2


def enlarging(upsampling: Upsampling, channels: int, out: int) -> nn.Module:
    """N x channels x H x W -> N x out x 2H x 2W, linear.

    transposed: a transposed convolution of 3x3 with random weights.
    bilinear: one of 4x4 that begins as bilinear interpolation of randomly mixed channels.
    resize: bilinear interpolation and a 3x3 convolution.
    shuffle: a convolution of 3x3 that makes the four pixels of a cell as channels.
    """
    if upsampling == "bilinear":
        return _bilinear(channels, out)
    if upsampling == "resize":
        enlarge = nn.Upsample(scale_factor=_FACTOR, mode="bilinear", align_corners=False)
        return nn.Sequential(enlarge, nn.Conv2d(channels, out, 3, padding=1, bias=False))
    if upsampling == "shuffle":
        return ShuffledConvolution(channels, out)
    return nn.ConvTranspose2d(channels, out, 3, _FACTOR, 1, output_padding=1, bias=False)


class ShuffledConvolution(OwnStart):
    """N x channels x H x W -> N x out x 2H x 2W by a convolution at the small size.

    The four pixels of a cell are equal at first (Aitken et al. 2017, arXiv 1707.02937), so that it
    begins as a convolution that is followed by nearest-neighbour enlargement.
    """

    def __init__(self, channels: int, out: int) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(channels, out * _FACTOR**2, 3, padding=1, bias=False)
        self.shuffle = nn.PixelShuffle(_FACTOR)
        self.start()

    def start(self) -> None:
        weight = self.convolution.weight
        one = torch.empty_like(weight[:: _FACTOR**2])
        nn.init.kaiming_uniform_(one, nonlinearity="relu")
        with torch.no_grad():
            weight.copy_(one.repeat_interleave(_FACTOR**2, dim=0))

    def forward(self, feature: torch.Tensor) -> torch.Tensor:
        enlarged: torch.Tensor = self.shuffle(self.convolution(feature))
        return enlarged


def _bilinear(channels: int, out: int) -> nn.ConvTranspose2d:
    layer = nn.ConvTranspose2d(
        channels, out, 2 * _FACTOR, stride=_FACTOR, padding=_FACTOR // 2, bias=False
    )
    mixing = torch.empty(channels, out, 1, 1)
    nn.init.normal_(mixing, std=(2 / channels) ** 0.5)
    with torch.no_grad():
        layer.weight.copy_(mixing * bilinear_kernel(_FACTOR))
    return layer
