"""UPerNet (Xiao et al. 2018)."""

from __future__ import annotations

from typing import Literal

from segmentation_models_pytorch.decoders.upernet.decoder import UPerNetDecoder

from pipeline.models.decoders.heads import head
from pipeline.models.decoders.parts import IMAGE_CHANNELS, PYRAMID_CHANNELS, Features, Parts


def upernet(
    features: Features, classes: int, *, align: Literal["pixels", "smp"] = "pixels"
) -> Parts:
    """UPerNet (Xiao et al. 2018).

    align: smp enlarges logits as SMP does, for its checkpoints.
    """
    decoder = UPerNetDecoder(
        [IMAGE_CHANNELS, *features.channels], decoder_channels=PYRAMID_CHANNELS
    )
    return Parts(
        decoder, head(PYRAMID_CHANNELS, classes, kernel=1, scale=4, corners=align == "smp")
    )
