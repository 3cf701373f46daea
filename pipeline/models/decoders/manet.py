"""MA-Net (Fan et al. 2020)."""

from __future__ import annotations

from segmentation_models_pytorch.decoders.manet.decoder import MAnetDecoder

from pipeline.models.decoders.heads import head
from pipeline.models.decoders.parts import IMAGE_CHANNELS, WIDTHS, Features, Parts


def manet(features: Features, classes: int) -> Parts:
    """MA-Net (Fan et al. 2020)."""
    decoder = MAnetDecoder([IMAGE_CHANNELS, *features.channels], WIDTHS)
    return Parts(decoder, head(WIDTHS[-1], classes, kernel=3))
