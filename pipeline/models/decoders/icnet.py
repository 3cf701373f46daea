"""Image cascade network (Zhao et al. 2018, arXiv 1704.08545), on one pass of an encoder.

A coarse feature is enlarged and fused with a finer one, twice; three strided convolutions of the
image give the finest. The paper runs its encoder on the image at 1/4 of its size and the first
half of it at 1/2, where its stride of 8 gives features at 1/32 and 1/16 of the image. A decoder
here is given the features of one pass, and the encoder's own at 1/32 and 1/16 take their place: the
same grid, finer knowledge, and none of the time that the paper saves. Its guidance at 1/16 and 1/8
is that of `auxiliary: deep_supervision`.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from pipeline.models.decoders.heads import head
from pipeline.models.decoders.layers import binned, convolution, normalised, resized
from pipeline.models.decoders.parts import Features, Parts

WIDTH = 128
_SPATIAL = (32, 32, 64)
_BINS = (1, 2, 3, 6)


def icnet(features: Features, classes: int) -> Parts:
    """Image cascade network (Zhao et al. 2018)."""
    decoder = IcnetDecoder(features.image, features.channels[-2:])
    return Parts(decoder, head(WIDTH, classes, kernel=1, scale=4))


class IcnetDecoder(nn.Module):
    """[image, five features] -> N x 128 x H/4 x W/4; channels: at 1/16 and at 1/32."""

    def __init__(self, image: int, channels: Sequence[int]) -> None:
        super().__init__()
        sixteenth, deepest = channels
        given = (image, *_SPATIAL)
        self.spatial = nn.Sequential(
            *(convolution(*each, stride=2) for each in zip(given, _SPATIAL, strict=False))
        )
        self.fuse16 = CascadeFusion(deepest, sixteenth)
        self.fuse8 = CascadeFusion(WIDTH, _SPATIAL[-1])

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        image, sixteenth, deepest = features[0], *features[-2:]
        x: Tensor = self.fuse16(_with_context(deepest), sixteenth)
        x = self.fuse8(x, self.spatial(image))
        height, width = x.shape[2:]
        return resized(x, (2 * height, 2 * width))


class CascadeFusion(nn.Module):
    """Cascade feature fusion: coarse N x c x h x w, fine N x d x H x W -> N x 128 x H x W."""

    def __init__(self, coarse: int, fine: int) -> None:
        super().__init__()
        self.coarse = normalised(coarse, WIDTH, 3, dilation=2)
        self.fine = normalised(fine, WIDTH, 1)

    def forward(self, coarse: Tensor, fine: Tensor) -> Tensor:
        return F.relu(self.coarse(resized(coarse, fine.shape[2:])) + self.fine(fine))


def _with_context(feature: Tensor) -> Tensor:
    """A feature, plus its means over the whole and over 2 x 2, 3 x 3 and 6 x 6 parts."""
    pooled = [binned(feature, bins) for bins in _BINS]
    return feature + sum(resized(each, feature.shape[2:]) for each in pooled)
