"""The decoders by name; one is added by one file and one line of `DECODERS`.

A decoder's function takes what the encoder gives and the number of classes and returns the parts
of a model. U-Net, U-Net++, MAnet, FPN, UPerNet, PSPNet and DeepLabV3+ are those of
segmentation-models-pytorch, whose decoders count the image as their first feature; the others are
ours, after their papers.
"""

from __future__ import annotations

from collections.abc import Mapping

from segmentation_models_pytorch.base.initialization import initialize_decoder

from pipeline.models.decoders.bisenet import bisenet
from pipeline.models.decoders.danet import danet
from pipeline.models.decoders.deeplab import deeplabv1, deeplabv2, deeplabv3
from pipeline.models.decoders.deeplabv3plus import deeplabv3plus
from pipeline.models.decoders.dilated_context import dilated_context
from pipeline.models.decoders.dpt import dpt
from pipeline.models.decoders.duc import duc
from pipeline.models.decoders.fcn import fcn8s, fcn16s, fcn32s
from pipeline.models.decoders.fpn import fpn
from pipeline.models.decoders.gcn import gcn
from pipeline.models.decoders.icnet import icnet
from pipeline.models.decoders.layers import OwnStart
from pipeline.models.decoders.linknet import dlinknet, linknet
from pipeline.models.decoders.manet import manet
from pipeline.models.decoders.pan import pan
from pipeline.models.decoders.parts import Decoder, Features, Parts, Tap
from pipeline.models.decoders.pspnet import pspnet
from pipeline.models.decoders.refinenet import refinenet
from pipeline.models.decoders.segformer import segformer
from pipeline.models.decoders.unet import unet
from pipeline.models.decoders.unetplusplus import unetplusplus
from pipeline.models.decoders.upernet import upernet

_BLOCKS = tuple(Tap(f"blocks.{number}") for number in (3, 2, 1, 0))
_NESTED = tuple(Tap(f"blocks.x_0_{number}") for number in (3, 2, 1, 0))
_LINKED = tuple(Tap(f"block{number}", of_input=True) for number in (1, 2, 3))
_PYRAMID = tuple(Tap(name) for name in ("p3", "p4", "p5"))
_REFINED = tuple(Tap(f"blocks.{number}") for number in (1, 2, 3))
_SUMS = tuple(Tap(f"refine_sums.{number}") for number in (1, 0))
_CONTEXT = tuple(Tap(name) for name in ("refine32", "attend32"))
_ATTENDED = tuple(Tap(f"lift.{number}") for number in (1, 2))
_FUSIONS = tuple(Tap(f"fuse.{number}") for number in (1, 2, 3))
_CASCADE = tuple(Tap(f"{name}.coarse") for name in ("fuse8", "fuse16"))
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
    "deeplabv1": Decoder(deeplabv1, finest=32, output_stride=8),
    "deeplabv2": Decoder(deeplabv2, finest=32, output_stride=8),
    "deeplabv3": Decoder(deeplabv3, finest=32, output_stride=8),
    "deeplabv3plus": Decoder(deeplabv3plus, finest=4, output_stride=16, levels=(Tap("aspp"),)),
    "fcn32s": Decoder(fcn32s, finest=32),
    "fcn16s": Decoder(fcn16s, finest=16),
    "fcn8s": Decoder(fcn8s, finest=8),
    "refinenet": Decoder(refinenet, finest=4, levels=_REFINED),
    "gcn": Decoder(gcn, finest=4, levels=_SUMS),
    "duc": Decoder(duc, finest=32, output_stride=8),
    "dilated_context": Decoder(dilated_context, finest=32, output_stride=8),
    "danet": Decoder(danet, finest=32, output_stride=8),
    "bisenet": Decoder(bisenet, finest=16, levels=_CONTEXT),
    "segformer": Decoder(segformer, finest=4),
    "pan": Decoder(pan, finest=4, output_stride=16, levels=_ATTENDED),
    "dpt": Decoder(dpt, finest=4, levels=_FUSIONS),
    "icnet": Decoder(icnet, finest=16, levels=_CASCADE),
}


def build_parts(
    name: str, features: Features, classes: int, options: Mapping[str, object] = {}
) -> Parts:
    """The parts of decoder `name`, initialised from torch's global RNG as SMP does it.

    options: of its build function, by name; ConfigError for values that cannot be.
    """
    parts = DECODERS[name].build(features, classes, **options)
    initialize_decoder(parts.decoder)
    for module in parts.decoder.modules():
        if isinstance(module, OwnStart):
            module.start()
    return parts


def wants_hybrid_dilation(options: Mapping[str, object]) -> bool:
    """Whether a decoder with these options wants its encoder dilated by hybrid rates."""
    return bool(options.get("hdc", False))


def wants_whole_stages(options: Mapping[str, object]) -> bool:
    """Whether a decoder with these options wants stages dilated from their first layer on."""
    return options.get("align") == "smp"
