"""The last layers: from a decoder's map to logits of the image's size."""

from __future__ import annotations

from segmentation_models_pytorch.base.initialization import initialize_head
from torch import nn

# of the auxiliary classifier of PSPNet (Zhao et al. 2017)
_AUXILIARY_CHANNELS = 256
_AUXILIARY_DROPOUT = 0.1


def head(
    channels: int, classes: int, kernel: int, scale: int = 1, *, corners: bool = False
) -> nn.Sequential:
    """N x c x H/scale x W/scale -> logits N x classes x H x W.

    corners: aligned when the map is enlarged, which stretches it against the image; as SMP does.
    """
    convolution = nn.Conv2d(channels, classes, kernel, padding=kernel // 2)
    initialize_head(convolution)
    if scale == 1:
        return nn.Sequential(convolution)
    enlarge = nn.Upsample(scale_factor=scale, mode="bilinear", align_corners=corners)
    return nn.Sequential(convolution, enlarge)


def auxiliary_head(channels: int, classes: int, scale: int) -> nn.Sequential:
    """A classifier on a middle stage that helps deep backbones train."""
    return nn.Sequential(
        nn.Conv2d(channels, _AUXILIARY_CHANNELS, 3, padding=1, bias=False),
        nn.BatchNorm2d(_AUXILIARY_CHANNELS),
        nn.ReLU(inplace=True),
        nn.Dropout(_AUXILIARY_DROPOUT),
        *head(_AUXILIARY_CHANNELS, classes, kernel=1, scale=scale),
    )
