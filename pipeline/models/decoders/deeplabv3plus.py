"""DeepLabV3+ (Chen et al. 2018)."""

from __future__ import annotations

from segmentation_models_pytorch.decoders.deeplabv3.decoder import DeepLabV3PlusDecoder
from torch import nn

from pipeline.models.decoders.heads import head
from pipeline.models.decoders.parts import IMAGE_CHANNELS, PYRAMID_CHANNELS, Features, Parts


def deeplabv3plus(features: Features, classes: int) -> Parts:
    """DeepLabV3+ (Chen et al. 2018)."""
    decoder = DeepLabV3PlusDecoder(
        [IMAGE_CHANNELS, *features.channels],
        encoder_depth=len(features.channels),
        out_channels=PYRAMID_CHANNELS,
        atrous_rates=(12, 24, 36),
        output_stride=16,
        aspp_separable=True,
        aspp_dropout=0.5,
    )
    # SMP's own aligns corners, which stretches the map, and knows no stride of 32
    scale = features.output_stride / 4
    decoder.up = nn.Upsample(scale_factor=scale, mode="bilinear", align_corners=False)
    return Parts(decoder, head(PYRAMID_CHANNELS, classes, kernel=1, scale=4))
