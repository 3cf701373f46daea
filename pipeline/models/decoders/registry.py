"""The decoders by name; one is added by one file and one line of `DECODERS`.

A decoder's function takes what the encoder gives and the number of classes and returns the parts
of a model. LinkNet is ours, as in its paper; the others are those of segmentation-models-pytorch,
whose decoders count the image as their first feature.
"""

from __future__ import annotations

from collections.abc import Mapping

from segmentation_models_pytorch.base.initialization import initialize_decoder

from pipeline.models.decoders.deeplabv3plus import deeplabv3plus
from pipeline.models.decoders.fpn import fpn
from pipeline.models.decoders.linknet import dlinknet, linknet
from pipeline.models.decoders.manet import manet
from pipeline.models.decoders.parts import Decoder, Features, Parts
from pipeline.models.decoders.pspnet import pspnet
from pipeline.models.decoders.unet import unet
from pipeline.models.decoders.unetplusplus import unetplusplus
from pipeline.models.decoders.upernet import upernet

DECODERS: Mapping[str, Decoder] = {
    "linknet": Decoder(linknet, finest=4),
    "dlinknet": Decoder(dlinknet, finest=4),
    "unet": Decoder(unet, finest=2),
    "unetplusplus": Decoder(unetplusplus, finest=2),
    "manet": Decoder(manet, finest=2),
    "fpn": Decoder(fpn, finest=4),
    "upernet": Decoder(upernet, finest=4),
    "pspnet": Decoder(pspnet, finest=32, output_stride=8),
    "deeplabv3plus": Decoder(deeplabv3plus, finest=4, output_stride=16),
}


def build_parts(name: str, features: Features, classes: int) -> Parts:
    """The parts of decoder `name`, initialised from torch's global RNG as SMP does it."""
    parts = DECODERS[name].build(features, classes)
    initialize_decoder(parts.decoder)
    return parts
