"""The decoders by name; a decoder is added by one function and one line of `DECODERS`.

Each function takes what the encoder gives and the number of classes and returns the parts of
a model. LinkNet is ours, as in its paper; the others are those of
segmentation-models-pytorch, whose decoders count the image as their first feature.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from segmentation_models_pytorch.base.initialization import initialize_decoder
from segmentation_models_pytorch.base.modules import Conv2dReLU
from segmentation_models_pytorch.decoders.deeplabv3.decoder import DeepLabV3PlusDecoder
from segmentation_models_pytorch.decoders.fpn.decoder import FPNDecoder
from segmentation_models_pytorch.decoders.manet.decoder import MAnetDecoder
from segmentation_models_pytorch.decoders.pspnet.decoder import PSPDecoder
from segmentation_models_pytorch.decoders.unet.decoder import UnetDecoder
from segmentation_models_pytorch.decoders.unetplusplus.decoder import UnetPlusPlusDecoder
from segmentation_models_pytorch.decoders.upernet.decoder import UPerNetDecoder
from torch import nn

from pipeline.models.decoders.heads import auxiliary_head, head
from pipeline.models.decoders.linknet import LinkNetDecoder, linknet_head

WIDTHS = (256, 128, 64, 32, 16)
PYRAMID_CHANNELS = 256
PSP_CHANNELS = 512
AUXILIARY_WEIGHT = 0.4
LIGHT = 32
_IMAGE = 3


@dataclass(frozen=True)
class Features:
    """What an encoder gives: five features at 1/2 .. 1/32, none deeper than `output_stride`.

    ends_with_pool: whether no layer has looked at the deepest one yet (VGG).
    """

    channels: Sequence[int]
    output_stride: int = 32
    ends_with_pool: bool = False


@dataclass(frozen=True)
class Parts:
    """decoder: [image, *features] -> map; head: map -> logits N x classes x H x W.

    auxiliary: the feature at 1/16 -> logits, weighted by `auxiliary_weight` in training.
    """

    decoder: nn.Module
    head: nn.Module
    auxiliary: nn.Module | None = None
    auxiliary_weight: float = 0.0


def linknet(features: Features, classes: int) -> Parts:
    """LinkNet (Chaurasia & Culurciello 2017)."""
    return Parts(LinkNetDecoder(features.channels), linknet_head(classes))


def dlinknet(features: Features, classes: int) -> Parts:
    """D-LinkNet (Zhou et al. 2018): LinkNet with a dilated centre."""
    decoder = LinkNetDecoder(features.channels, dilated_centre=True)
    return Parts(decoder, linknet_head(classes))


def unet(features: Features, classes: int) -> Parts:
    """U-Net (Ronneberger et al. 2015)."""
    channels = [_IMAGE, *features.channels]
    decoder = UnetDecoder(channels, WIDTHS, add_center_block=features.ends_with_pool)
    return Parts(decoder, head(WIDTHS[-1], classes, kernel=3))


def unetplusplus(features: Features, classes: int) -> Parts:
    """U-Net++ (Zhou et al. 2018)."""
    channels = [_IMAGE, *features.channels]
    decoder = UnetPlusPlusDecoder(channels, WIDTHS, center=features.ends_with_pool)
    return Parts(decoder, head(WIDTHS[-1], classes, kernel=3))


def manet(features: Features, classes: int) -> Parts:
    """MA-Net (Fan et al. 2020)."""
    decoder = MAnetDecoder([_IMAGE, *features.channels], WIDTHS)
    return Parts(decoder, head(WIDTHS[-1], classes, kernel=3))


def fpn(features: Features, classes: int) -> Parts:
    """Feature pyramid (Kirillov et al. 2017)."""
    decoder = FPNDecoder([_IMAGE, *features.channels])
    return Parts(decoder, head(decoder.out_channels, classes, kernel=1, scale=4))


def upernet(features: Features, classes: int) -> Parts:
    """UPerNet (Xiao et al. 2018)."""
    decoder = UPerNetDecoder([_IMAGE, *features.channels], decoder_channels=PYRAMID_CHANNELS)
    return Parts(decoder, head(PYRAMID_CHANNELS, classes, kernel=1, scale=4))


def pspnet(features: Features, classes: int) -> Parts:
    """PSPNet (Zhao et al. 2017), with its auxiliary loss where the backbone is dilated."""
    decoder = PSPDecoder([_IMAGE, *features.channels], out_channels=PSP_CHANNELS)
    deepest = features.channels[-1]
    if deepest % 4:
        # SMP forgets that the four poolings of a quarter of the channels each lose the rest
        decoder.conv = Conv2dReLU(deepest + 4 * (deepest // 4), PSP_CHANNELS, kernel_size=1)
    stride = features.output_stride
    last = head(PSP_CHANNELS, classes, kernel=3, scale=stride)
    if stride == LIGHT:
        return Parts(decoder, last)
    auxiliary = auxiliary_head(features.channels[-2], classes, scale=stride)
    return Parts(decoder, last, auxiliary, AUXILIARY_WEIGHT)


def deeplabv3plus(features: Features, classes: int) -> Parts:
    """DeepLabV3+ (Chen et al. 2018)."""
    decoder = DeepLabV3PlusDecoder(
        [_IMAGE, *features.channels],
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


@dataclass(frozen=True)
class Decoder:
    """How a decoder is built, and what it wants.

    finest: the finest feature that it uses.
    output_stride: how far it lets backbones shrink that can be dilated.
    """

    build: Callable[[Features, int], Parts]
    finest: int
    output_stride: int = LIGHT


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
