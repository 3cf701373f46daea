"""DeepLabV3+ (Chen et al. 2018)."""

from __future__ import annotations

from typing import Literal

from segmentation_models_pytorch.decoders.deeplabv3.decoder import DeepLabV3PlusDecoder
from torch import nn

from pipeline.models.decoders.heads import head
from pipeline.models.decoders.parts import IMAGE_CHANNELS, PYRAMID_CHANNELS, Features, Parts


def deeplabv3plus(
    features: Features,
    classes: int,
    *,
    align: Literal["pixels", "smp", "smp_timm"] = "pixels",
) -> Parts:
    """DeepLabV3+ (Chen et al. 2018).

    align: smp and smp_timm enlarge as SMP does, for its checkpoints; with smp, the encoder is
        dilated as SMP's own are (`wants_whole_stages`), with smp_timm as those it takes from timm.
    """
    decoder = DeepLabV3PlusDecoder(
        [IMAGE_CHANNELS, *features.channels],
        encoder_depth=len(features.channels),
        out_channels=PYRAMID_CHANNELS,
        atrous_rates=(12, 24, 36),
        output_stride=16,
        aspp_separable=True,
        aspp_dropout=0.5,
    )
    corners = align != "pixels"
    # SMP's own aligns corners, which stretches the map, and knows no stride of 32
    scale = features.output_stride / 4
    decoder.up = nn.Upsample(scale_factor=scale, mode="bilinear", align_corners=corners)
    return Parts(decoder, head(PYRAMID_CHANNELS, classes, kernel=1, scale=4, corners=corners))
