"""Fully convolutional networks (Long, Shelhamer & Darrell 2015, arXiv 1411.4038).

The deepest feature is classified, and scores of finer features are added on the way up; all
upsampling is learned. On VGG the skips are those of the paper, pool4 and pool3, and the
classifier's layers fc6 and fc7 become convolutions; other encoders, which do not pool between
their stages, classify their features as they are.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from pipeline.models.decoders.layers import bilinear_upsampling
from pipeline.models.decoders.parts import Features, Parts

FC_CHANNELS = 4096
_DEEPEST = 32


def fcn32s(features: Features, classes: int) -> Parts:
    """FCN-32s (Long et al. 2015)."""
    return _fcn(features, classes, skips=0)


def fcn16s(features: Features, classes: int) -> Parts:
    """FCN-16s (Long et al. 2015)."""
    return _fcn(features, classes, skips=1)


def fcn8s(features: Features, classes: int) -> Parts:
    """FCN-8s (Long et al. 2015)."""
    return _fcn(features, classes, skips=2)


def _fcn(features: Features, classes: int, skips: int) -> Parts:
    decoder = FcnDecoder(features, classes, skips)
    return Parts(decoder, bilinear_upsampling(classes, _DEEPEST >> skips))


class FcnDecoder(nn.Module):
    """[image, five features] -> scores N x classes at 1/32, 1/16 or 1/8.

    skips: to how many finer features scores are added.
    """

    def __init__(self, features: Features, classes: int, skips: int) -> None:
        super().__init__()
        self.pools = features.ends_with_pool
        deepest, *finer = features.channels[::-1]
        self.classifier = _fully_connected(deepest) if self.pools else nn.Identity()
        sources = [FC_CHANNELS if self.pools else deepest, *finer[self.pools :][:skips]]
        self.scores = nn.ModuleList(nn.Conv2d(each, classes, 1) for each in sources)
        self.enlarge = nn.ModuleList(bilinear_upsampling(classes, 2) for _ in range(skips))

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        deepest, *finer = features[::-1]
        if self.pools:
            finer = [F.max_pool2d(each, 2) for each in finer[1 : 1 + len(self.enlarge)]]
        total: Tensor = self.scores[0](self.classifier(deepest))
        for score, enlarge, feature in zip(self.scores[1:], self.enlarge, finer, strict=False):
            total = enlarge(total) + score(feature)
        return total


def _fully_connected(channels: int) -> nn.Sequential:
    """VGG's fc6 and fc7 as convolutions."""
    return nn.Sequential(
        nn.Conv2d(channels, FC_CHANNELS, 7, padding=3),
        nn.ReLU(inplace=True),
        nn.Dropout2d(0.5),
        nn.Conv2d(FC_CHANNELS, FC_CHANNELS, 1),
        nn.ReLU(inplace=True),
        nn.Dropout2d(0.5),
    )
