"""The feature pyramid of Kirillov et al. (2017)."""

from __future__ import annotations

from typing import Literal

from segmentation_models_pytorch.decoders.fpn.decoder import FPNDecoder

from pipeline.models.decoders.heads import head
from pipeline.models.decoders.parts import IMAGE_CHANNELS, Features, Parts


def fpn(features: Features, classes: int, *, align: Literal["pixels", "smp"] = "pixels") -> Parts:
    """Feature pyramid (Kirillov et al. 2017).

    align: smp enlarges logits as SMP does, for its checkpoints.
    """
    decoder = FPNDecoder([IMAGE_CHANNELS, *features.channels])
    return Parts(
        decoder, head(decoder.out_channels, classes, kernel=1, scale=4, corners=align == "smp")
    )
