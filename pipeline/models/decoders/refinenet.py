"""RefineNet (Lin et al. 2017, arXiv 1611.06612).

From the deepest feature on, each is adapted by residual units, added to what comes from below,
given the context of a chain of poolings, and refined by residual units again.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from pipeline.models.decoders.attention import NonLocal, Scse
from pipeline.models.decoders.heads import head
from pipeline.models.decoders.layers import resized
from pipeline.models.decoders.parts import Features, Parts

DEEPEST_CHANNELS = 512
CHANNELS = 256
_ADAPTING, _REFINING, _POOLINGS = 2, 3, 4


def refinenet(
    features: Features, classes: int, *, scse: bool = False, non_local: bool = False
) -> Parts:
    """RefineNet (Lin et al. 2017).

    scse: each block ends in attention. non_local: the deepest feature passes a non-local block.
    """
    last = nn.Sequential(nn.Dropout(0.5), *head(CHANNELS, classes, kernel=3, scale=4))
    return Parts(RefineNetDecoder(features.channels[1:], scse, non_local), last)


class RefineNetDecoder(nn.Module):
    """[image, five features] -> N x 256 x H/4 x W/4; channels: of the last four features."""

    def __init__(self, channels: Sequence[int], scse: bool, non_local: bool) -> None:
        super().__init__()
        *finer, deepest = channels
        self.centre = NonLocal(deepest) if non_local else nn.Identity()
        widths = [CHANNELS] * len(finer) + [DEEPEST_CHANNELS]
        self.blocks = nn.ModuleList(
            _Block(each, width, scse, joins=each is not deepest or width != DEEPEST_CHANNELS)
            for each, width in zip(channels, widths, strict=True)
        )
        # Of what goes up from each block, by the block that gets it.
        self.lift = nn.ModuleList(_plain(width, CHANNELS) for width in widths[1:])

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        *finer, deepest = features[2:]
        x: Tensor = self.blocks[-1](self.centre(deepest), None)
        levels = list(zip(finer, self.blocks, self.lift, strict=False))
        for feature, block, lift in reversed(levels):
            x = block(feature, resized(lift(x), feature.shape[2:]))
        return x


class _Block(nn.Module):
    """A feature, and what comes from the block below -> N x width x H x W."""

    def __init__(self, channels: int, width: int, scse: bool, joins: bool) -> None:
        super().__init__()
        self.narrow = _plain(channels, width)
        self.adapt = nn.Sequential(*(_ResidualUnit(width) for _ in range(_ADAPTING)))
        self.join = _plain(width, width) if joins else None
        self.pools = nn.ModuleList(_plain(width, width) for _ in range(_POOLINGS))
        self.refine = nn.Sequential(*(_ResidualUnit(width) for _ in range(_REFINING)))
        self.attend = Scse(width) if scse else nn.Identity()

    def forward(self, feature: Tensor, below: Tensor | None) -> Tensor:
        x: Tensor = self.adapt(self.narrow(feature))
        if self.join is not None:
            x = self.join(x) + below
        total = pooled = F.relu(x)
        for convolution in self.pools:
            pooled = convolution(F.max_pool2d(pooled, 5, stride=1, padding=2))
            total = total + pooled
        refined: Tensor = self.attend(self.refine(total))
        return refined


class _ResidualUnit(nn.Module):
    """Two convolutions, each behind a ReLU, without normalisation."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = _plain(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        branch = self.second(F.relu(self.first(F.relu(x))))
        total: Tensor = x + branch
        return total


def _plain(channels: int, out: int) -> nn.Conv2d:
    return nn.Conv2d(channels, out, 3, padding=1, bias=False)
