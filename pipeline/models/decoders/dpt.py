"""Decoder of dense prediction transformers (Ranftl et al. 2021, arXiv 2103.13413).

Four features at 1/4 .. 1/32 are brought to one width and fused from the deepest on by residual
units. The paper makes these features of four depths of one transformer, which all lie at 1/16; an
encoder here gives one feature a reduction, so a plain transformer's are made of its last tokens,
without the token of its class. On encoders with a pyramid this is how the paper treats the
convolutional stages of its hybrid.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from pipeline.models.decoders.attention import NonLocal, Scse
from pipeline.models.decoders.heads import head
from pipeline.models.decoders.layers import convolution, resized
from pipeline.models.decoders.parts import Features, Parts

WIDTH = 256


def dpt(features: Features, classes: int, *, scse: bool = False, non_local: bool = False) -> Parts:
    """Decoder of dense prediction transformers (Ranftl et al. 2021).

    scse: each block ends in attention. non_local: the deepest feature passes a non-local block.
    """
    last = nn.Sequential(
        convolution(WIDTH, WIDTH), nn.Dropout(0.1), *head(WIDTH, classes, kernel=1, scale=2)
    )
    return Parts(DptDecoder(features.channels[1:], scse, non_local), last)


class DptDecoder(nn.Module):
    """[image, five features] -> N x 256 x H/2 x W/2; channels: of the last four features."""

    def __init__(self, channels: Sequence[int], scse: bool, non_local: bool) -> None:
        super().__init__()
        self.centre = NonLocal(channels[-1]) if non_local else nn.Identity()
        self.bring = nn.ModuleList(
            nn.Conv2d(each, WIDTH, 3, padding=1, bias=False) for each in channels
        )
        last = len(channels) - 1
        self.fuse = nn.ModuleList(_Fusion(place != last, scse) for place in range(len(channels)))

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        *finer, deepest = features[2:]
        x: Tensor = self.fuse[-1](self.bring[-1](self.centre(deepest)), None)
        levels = list(zip(finer, self.bring, self.fuse, strict=False))
        for feature, bring, fuse in reversed(levels):
            x = fuse(bring(feature), x)
        return x


class _Fusion(nn.Module):
    """A feature N x 256 x H x W, and what comes from below -> N x 256 x 2H x 2W."""

    def __init__(self, joins: bool, scse: bool) -> None:
        super().__init__()
        self.adapt = _ResidualUnit() if joins else None
        self.refine = _ResidualUnit()
        self.project = nn.Conv2d(WIDTH, WIDTH, 1)
        self.attend = Scse(WIDTH) if scse else nn.Identity()

    def forward(self, feature: Tensor, below: Tensor | None) -> Tensor:
        if self.adapt is not None:
            feature = self.adapt(feature) + below
        # the paper enlarges first, which gives the same at four times the cost
        projected = self.project(self.refine(feature))
        height, width = projected.shape[2:]
        enlarged: Tensor = self.attend(resized(projected, (2 * height, 2 * width)))
        return enlarged


class _ResidualUnit(nn.Module):
    """Two convolutions, each behind a ReLU and normalised."""

    def __init__(self) -> None:
        super().__init__()
        self.branch = nn.Sequential(*_behind_relu(), *_behind_relu())

    def forward(self, x: Tensor) -> Tensor:
        total: Tensor = x + self.branch(x)
        return total


def _behind_relu() -> list[nn.Module]:
    return [
        nn.ReLU(),
        nn.Conv2d(WIDTH, WIDTH, 3, padding=1, bias=False),
        nn.BatchNorm2d(WIDTH),
    ]
