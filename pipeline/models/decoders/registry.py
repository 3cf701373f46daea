"""The decoders by name; one is added by one file and one line of `DECODERS`.

A decoder's function takes what the encoder gives and the number of classes and returns the parts
of a model. LinkNet is ours, as in its paper; the others are those of segmentation-models-pytorch,
whose decoders count the image as their first feature.
"""

from __future__ import annotations

from collections.abc import Mapping

from segmentation_models_pytorch.base.initialization import initialize_decoder

from pipeline.config import ModelSpec
from pipeline.config.auxiliary import DeepSupervision
from pipeline.errors import ConfigError
from pipeline.models.decoders.deeplabv3plus import deeplabv3plus
from pipeline.models.decoders.fpn import fpn
from pipeline.models.decoders.linknet import dlinknet, linknet
from pipeline.models.decoders.manet import manet
from pipeline.models.decoders.parts import Decoder, Features, Parts, Tap
from pipeline.models.decoders.pspnet import pspnet
from pipeline.models.decoders.unet import unet
from pipeline.models.decoders.unetplusplus import unetplusplus
from pipeline.models.decoders.upernet import upernet

_BLOCKS = tuple(Tap(f"blocks.{number}") for number in (3, 2, 1, 0))
_NESTED = tuple(Tap(f"blocks.x_0_{number}") for number in (3, 2, 1, 0))
_LINKED = tuple(Tap(f"block{number}", of_input=True) for number in (1, 2, 3))
_PYRAMID = tuple(Tap(name) for name in ("p3", "p4", "p5"))
_FUSED = tuple(Tap(name) for name in ("fpn_conv_blocks.1", "fpn_conv_blocks.0", "psp"))

DECODERS: Mapping[str, Decoder] = {
    "linknet": Decoder(linknet, finest=4, levels=_LINKED),
    "dlinknet": Decoder(dlinknet, finest=4, levels=_LINKED),
    "unet": Decoder(unet, finest=2, levels=_BLOCKS),
    "unetplusplus": Decoder(unetplusplus, finest=2, levels=_NESTED),
    "manet": Decoder(manet, finest=2, levels=_BLOCKS),
    "fpn": Decoder(fpn, finest=4, levels=_PYRAMID),
    "upernet": Decoder(upernet, finest=4, levels=_FUSED),
    "pspnet": Decoder(pspnet, finest=32, output_stride=8),
    "deeplabv3plus": Decoder(deeplabv3plus, finest=4, output_stride=16, levels=(Tap("aspp"),)),
}


def build_parts(name: str, features: Features, classes: int) -> Parts:
    """The parts of decoder `name`, initialised from torch's global RNG as SMP does it."""
    parts = DECODERS[name].build(features, classes)
    initialize_decoder(parts.decoder)
    return parts


def check_levels(model: tuple[str, ModelSpec]) -> None:
    """ConfigError where a model, with its name, asks for more levels than its decoder has."""
    name, spec = model
    there = len(DECODERS[spec.decoder].levels)
    for number, output in enumerate(spec.auxiliary):
        if not isinstance(output, DeepSupervision) or output.levels <= there:
            continue
        place = f"models.{name}.auxiliary.{number}"
        if there:
            raise ConfigError(
                f"{place}.levels: {output.levels}: decoder {spec.decoder} has {there} level(s) "
                f"below its output; set levels: {there}"
            )
        others = ", ".join(f"{each} {len(kind.levels)}" for each, kind in DECODERS.items()
                           if kind.levels)  # fmt: skip
        raise ConfigError(
            f"{place}: decoder {spec.decoder} decodes in one step, and has no level for "
            f"deep_supervision; these have some: {others}"
        )
