"""Dilated residual networks (Yu, Koltun & Funkhouser 2017, arXiv 1705.09914).

Residual networks that stay at 1/8 of the image, their last levels dilated instead of strided.
Form C replaces the max pooling by residual blocks and ends with levels of falling dilation and no
shortcuts, which removes gridding; form D has plain convolutions in these places. The head
classifies and enlarges bilinearly, as the authors' fixed transposed convolution does.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from pipeline.models.decoders.heads import head
from pipeline.models.decoders.layers import convolution, normalised
from pipeline.models.decoders.parts import Parts
from pipeline.models.networks.layers import OfImage

CHANNELS = 512
STRIDE = 8
_FIRST = 16
_BOTTLENECK = 4
_SMALL, _MIDDLE, _LARGE = (2, 2, 2, 2), (3, 4, 6, 3), (3, 4, 23, 3)


def drn_c_26(image: int, classes: int) -> Parts:
    """DRN-C-26 (Yu et al. 2017)."""
    return _parts(_form_c(image, _SMALL), classes)


def drn_c_42(image: int, classes: int) -> Parts:
    """DRN-C-42 (Yu et al. 2017)."""
    return _parts(_form_c(image, _MIDDLE), classes)


def drn_d_22(image: int, classes: int) -> Parts:
    """DRN-D-22 (Yu et al. 2017)."""
    return _parts(_form_d(image, _SMALL), classes)


def drn_d_38(image: int, classes: int) -> Parts:
    """DRN-D-38 (Yu et al. 2017)."""
    return _parts(_form_d(image, _MIDDLE), classes)


def drn_d_54(image: int, classes: int) -> Parts:
    """DRN-D-54 (Yu et al. 2017)."""
    return _parts(_form_d(image, _MIDDLE, bottleneck=True), classes)


def drn_d_105(image: int, classes: int) -> Parts:
    """DRN-D-105 (Yu et al. 2017)."""
    return _parts(_form_d(image, _LARGE, bottleneck=True), classes)


def _parts(network: nn.Module, classes: int) -> Parts:
    return Parts(OfImage(network), head(CHANNELS, classes, kernel=1, scale=STRIDE))


def _form_c(image: int, depths: Sequence[int]) -> nn.Sequential:
    """Image -> N x 512 x H/8 x W/8; depths: blocks of the four middle levels."""
    return nn.Sequential(
        convolution(image, _FIRST, kernel=7),
        Residual(_FIRST, _FIRST),
        Residual(_FIRST, 2 * _FIRST, stride=2),
        *_middle_levels(depths, bottleneck=False),
        convolution(CHANNELS, CHANNELS, dilation=2),
        convolution(CHANNELS, CHANNELS, dilation=2),
        convolution(CHANNELS, CHANNELS),
        convolution(CHANNELS, CHANNELS),
    )


def _form_d(image: int, depths: Sequence[int], bottleneck: bool = False) -> nn.Sequential:
    """Image -> N x 512 x H/8 x W/8; depths: blocks of the four middle levels."""
    deepest = CHANNELS * _BOTTLENECK if bottleneck else CHANNELS
    return nn.Sequential(
        convolution(image, _FIRST, kernel=7),
        convolution(_FIRST, _FIRST),
        normalised(_FIRST, 2 * _FIRST, 3, stride=2),
        nn.ReLU(inplace=True),
        *_middle_levels(depths, bottleneck),
        convolution(deepest, CHANNELS, dilation=2),
        convolution(CHANNELS, CHANNELS),
    )


def _middle_levels(depths: Sequence[int], bottleneck: bool) -> list[nn.Module]:
    """The levels of 64, 128, 256 and 512 channels, at 1/4, 1/8, and 1/8 of dilation 2 and 4."""
    blocks: list[nn.Module] = []
    channels = 2 * _FIRST
    forms = ((64, 2, 1), (128, 2, 1), (256, 1, 2), (512, 1, 4))
    for depth, (width, stride, dilation) in zip(depths, forms, strict=True):
        for number in range(depth):
            block = Residual(channels, width, 1 if number else stride, dilation, bottleneck)
            blocks.append(block)
            channels = block.channels
    return blocks


class Residual(nn.Module):
    """A residual block of two 3x3 convolutions, or of a bottleneck: N x `channels` x H' x W'."""

    def __init__(
        self, inputs: int, width: int, stride: int = 1, dilation: int = 1, bottleneck: bool = False
    ) -> None:
        super().__init__()
        self.channels = width * _BOTTLENECK if bottleneck else width
        if bottleneck:
            layers = [
                convolution(inputs, width, kernel=1),
                normalised(width, width, 3, stride, dilation),
                nn.ReLU(inplace=True),
                normalised(width, self.channels, 1),
            ]
        else:
            layers = [
                normalised(inputs, width, 3, stride, dilation),
                nn.ReLU(inplace=True),
                normalised(width, width, 3, 1, dilation),
            ]
        self.branch = nn.Sequential(*layers)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or inputs != self.channels:
            self.shortcut = normalised(inputs, self.channels, 1, stride)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.shortcut(x) + self.branch(x))
