"""LinkNet (Chaurasia & Culurciello 2017, arXiv 1707.03718) and its dilated-centre offspring.

A decoder block squeezes to a quarter of its channels, doubles the size by a transposed convolution
and expands again; the encoder's feature of that size is added, not concatenated.
D-LinkNet (Zhou et al. 2018) puts a cascade of dilated convolutions in the centre. "DinkNet" here
and elsewhere in this project is plain LinkNet on a DenseNet; D-LinkNet is called `dlinknet`.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from pipeline.models.decoders.parts import Features, Parts

LAST_CHANNELS = 32


def linknet(features: Features, classes: int) -> Parts:
    """LinkNet (Chaurasia & Culurciello 2017)."""
    return Parts(LinkNetDecoder(features.channels), linknet_head(classes))


def dlinknet(features: Features, classes: int) -> Parts:
    """D-LinkNet (Zhou et al. 2018): LinkNet with a dilated centre."""
    decoder = LinkNetDecoder(features.channels, dilated_centre=True)
    return Parts(decoder, linknet_head(classes))


class LinkNetDecoder(nn.Module):
    """[image, five features (1/2 .. 1/32)] -> N x 32 x H/2 x W/2.

    The paper links 1/4, 1/8 and 1/16; it does not use the feature at 1/2.
    """

    def __init__(self, channels: Sequence[int], dilated_centre: bool = False) -> None:
        super().__init__()
        _, quarter, eighth, sixteenth, deepest = channels
        self.centre = DilatedCentre(deepest) if dilated_centre else nn.Identity()
        self.block4 = _block(deepest, sixteenth, stride=2)
        self.block3 = _block(sixteenth, eighth, stride=2)
        self.block2 = _block(eighth, quarter, stride=2)
        self.block1 = _block(quarter, 2 * LAST_CHANNELS, stride=1)
        self.enlarge = _transposed(2 * LAST_CHANNELS, LAST_CHANNELS, stride=2)
        self.refine = _convolution(LAST_CHANNELS, LAST_CHANNELS, kernel=3)

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        quarter, eighth, sixteenth, deepest = features[2:]
        x = self.block4(self.centre(deepest)) + sixteenth
        x = self.block3(x) + eighth
        x = self.block2(x) + quarter
        refined: Tensor = self.refine(self.enlarge(self.block1(x)))
        return refined


def linknet_head(classes: int) -> nn.Module:
    """N x 32 x H/2 x W/2 -> logits N x classes x H x W: the paper's last full convolution."""
    return nn.ConvTranspose2d(LAST_CHANNELS, classes, 2, stride=2)


class DilatedCentre(nn.Module):
    """The sum of a feature and what 3x3 convolutions of dilation 1, 2, 4, 8 in a row make of it."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.steps = nn.ModuleList(
            nn.Conv2d(channels, channels, 3, padding=rate, dilation=rate) for rate in (1, 2, 4, 8)
        )

    def forward(self, feature: Tensor) -> Tensor:
        total = step_output = feature
        for step in self.steps:
            step_output = F.relu(step(step_output))
            total = total + step_output
        return total


def _block(in_channels: int, out_channels: int, stride: int) -> nn.Sequential:
    """N x c x H x W -> N x d x stride*H x stride*W through c / 4 channels."""
    middle = max(in_channels // 4, 1)
    return nn.Sequential(
        _convolution(in_channels, middle, kernel=1),
        _transposed(middle, middle, stride),
        _convolution(middle, out_channels, kernel=1),
    )


def _convolution(in_channels: int, out_channels: int, kernel: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, kernel, padding=kernel // 2, bias=False),
        nn.BatchNorm2d(out_channels),
        nn.ReLU(inplace=True),
    )


def _transposed(in_channels: int, out_channels: int, stride: int) -> nn.Sequential:
    return nn.Sequential(
        nn.ConvTranspose2d(
            in_channels, out_channels, 3, stride, 1, output_padding=stride - 1, bias=False
        ),
        nn.BatchNorm2d(out_channels),
        nn.ReLU(inplace=True),
    )
