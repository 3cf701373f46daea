"""U-Net++ (Zhou et al. 2018)."""

from __future__ import annotations

from segmentation_models_pytorch.decoders.unetplusplus.decoder import UnetPlusPlusDecoder

from pipeline.models.decoders.heads import head
from pipeline.models.decoders.parts import IMAGE_CHANNELS, WIDTHS, Features, Parts


def unetplusplus(features: Features, classes: int) -> Parts:
    """U-Net++ (Zhou et al. 2018)."""
    channels = [IMAGE_CHANNELS, *features.channels]
    decoder = UnetPlusPlusDecoder(channels, WIDTHS, center=features.ends_with_pool)
    return Parts(decoder, head(WIDTHS[-1], classes, kernel=3))
