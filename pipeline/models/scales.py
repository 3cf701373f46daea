"""Attention to scale: one network sees an image at several sizes, and each pixel chooses.

L.-C. Chen, Y. Yang, J. Wang, W. Xu, A. L. Yuille, "Attention to Scale: Scale-Aware Semantic Image
Segmentation", CVPR 2016. The network's weights are shared by all sizes. Different from the paper:
the maps of all sizes are brought to the image's before losses see them, so that any loss can, and
the attention looks at means over 8 x 8 pixels where a decoder's map is finer than the paper's 1/8.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pipeline.config.scales import Scales
from pipeline.models.decoders.layers import resized

WIDTH = 512
STRIDE = 8
"""What the attention computes at, where the decoder's map is not coarser."""
_DEVIATION = 0.01  # of the last layer's first weights: all scales count nearly alike


class AttentionToScale(nn.Module):
    """Weighs the logits of several scales, the first of which is 1.

    channels: of the decoder's map; stride: how much smaller than the image that map is.
    """

    def __init__(self, settings: Scales, channels: int, stride: int) -> None:
        super().__init__()
        self.at, self.supervise = settings.at, settings.supervise
        self._pooled = max(1, STRIDE // stride)
        self.attention = nn.Sequential(
            nn.Conv2d(channels * len(self.at), WIDTH, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(WIDTH, len(self.at), 1),
        )
        last = self.attention[-1]
        nn.init.normal_(last.weight, std=_DEVIATION)  # type: ignore[arg-type]
        nn.init.zeros_(last.bias)  # type: ignore[arg-type]

    @property
    def step(self) -> int:
        """Sides that are multiples of it are whole numbers at every scale."""
        return math.lcm(*(Fraction(each).denominator for each in self.at))

    def sizes_of(self, images: Tensor) -> list[Tensor]:
        """The images N x C x H x W at every scale; H and W are multiples of `step`."""
        return [images, *(_scaled(images, each) for each in self.at[1:])]

    def forward(
        self, decoded: Sequence[Tensor], logits: Sequence[Tensor]
    ) -> tuple[Tensor, list[Tensor]]:
        """Of each scale the decoder's map and the logits -> the logits N x classes x H x W of all,
        and those of each scale, as large.
        """
        size = logits[0].shape[2:]
        whole = [logits[0], *(resized(each, size) for each in logits[1:])]
        weights = resized(self.weights_of(decoded), size)
        merged = sum(weights[:, [place]] * each for place, each in enumerate(whole))
        assert isinstance(merged, Tensor)
        return merged, whole

    def weights_of(self, decoded: Sequence[Tensor]) -> Tensor:
        """How much each scale counts, N x scales x h x w, adding up to 1."""
        pooled = [F.avg_pool2d(each, self._pooled) for each in decoded]
        size = pooled[0].shape[2:]
        together = torch.cat([pooled[0], *(resized(each, size) for each in pooled[1:])], dim=1)
        return torch.softmax(self.attention(together), dim=1)


def _scaled(images: Tensor, scale: float) -> Tensor:
    return F.interpolate(images, scale_factor=scale, mode="bilinear", align_corners=False)
