"""U-Net (Ronneberger et al. 2015)."""

from __future__ import annotations

from segmentation_models_pytorch.decoders.unet.decoder import UnetDecoder

from pipeline.models.decoders.heads import head
from pipeline.models.decoders.parts import IMAGE_CHANNELS, WIDTHS, Features, Parts


def unet(features: Features, classes: int) -> Parts:
    """U-Net (Ronneberger et al. 2015)."""
    channels = [IMAGE_CHANNELS, *features.channels]
    decoder = UnetDecoder(channels, WIDTHS, add_center_block=features.ends_with_pool)
    return Parts(decoder, head(WIDTHS[-1], classes, kernel=3))
