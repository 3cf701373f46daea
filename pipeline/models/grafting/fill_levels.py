"""Makes up the levels that a backbone does not have, so that every decoder finds what it uses.

Finer than the backbone's finest: 1/2 comes from a small stem of its own that looks at the image
(ConvNeXt and Swin begin at 1/4; nothing of theirs has seen single pixels); every other finer
level is the next coarser one through a learned 2x2 transposed convolution of half the channels.
Coarser than what is there: 2x2 maximum. This is the simple feature pyramid of ViTDet
(Li et al. 2022, arXiv 2203.16527) with a stem added.
"""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

STEM_CHANNELS = 32


class FillLevels(nn.Module):
    """Completes a pyramid: {reduction: N x C x H/r x W/r} in; the same, `finest` .. 32, out."""

    def __init__(self, have: Mapping[int, int], in_channels: int, finest: int = 2) -> None:
        """`have`: channels by reduction, as tapped; `in_channels`: those of the image."""
        super().__init__()
        self.channels = dict(have)
        self.finer = nn.ModuleDict()
        for reduction in (16, 8, 4):
            below = self.channels.get(2 * reduction)
            if below and reduction not in self.channels and reduction >= finest:
                self.channels[reduction] = max(below // 2, STEM_CHANNELS)
                self.finer[str(reduction)] = _upsampling(below, self.channels[reduction])
        self.coarser: list[int] = []
        for reduction in (4, 8, 16, 32):
            above = self.channels.get(reduction // 2)
            if above and reduction not in self.channels:
                self.channels[reduction] = above
                self.coarser.append(reduction)
        needs_stem = finest == 2 and 2 not in self.channels
        self.stem = _stem(in_channels) if needs_stem else None
        if needs_stem:
            self.channels[2] = STEM_CHANNELS

    def forward(self, image: Tensor, features: Mapping[int, Tensor]) -> dict[int, Tensor]:
        complete = dict(features)
        for name, layer in self.finer.items():
            complete[int(name)] = layer(complete[2 * int(name)])
        for reduction in self.coarser:
            complete[reduction] = nn.functional.max_pool2d(complete[reduction // 2], 2)
        if self.stem is not None:
            complete[2] = self.stem(image)
        return complete


def _upsampling(below: int, channels: int) -> nn.Sequential:
    return nn.Sequential(
        nn.ConvTranspose2d(below, channels, 2, stride=2, bias=False),
        nn.BatchNorm2d(channels),
        nn.GELU(),
    )


def _stem(in_channels: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(in_channels, STEM_CHANNELS, 3, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(STEM_CHANNELS),
        nn.ReLU(inplace=True),
    )
