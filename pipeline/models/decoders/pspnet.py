"""PSPNet (Zhao et al. 2017)."""

from __future__ import annotations

from typing import Literal

from segmentation_models_pytorch.base.modules import Conv2dReLU
from segmentation_models_pytorch.decoders.pspnet.decoder import PSPDecoder
from torch import Tensor, nn

from pipeline.models.decoders.heads import auxiliary_head, head
from pipeline.models.decoders.layers import PooledNorm, convolution
from pipeline.models.decoders.parts import IMAGE_CHANNELS, LIGHT, Features, Parts

PSP_CHANNELS = 512
AUXILIARY_WEIGHT = 0.4
_DROPOUT = 0.1
_SMP_DEPTH = 3


def pspnet(
    features: Features,
    classes: int,
    *,
    tail: Literal["light", "published"] = "light",
    align: Literal["pixels", "smp"] = "pixels",
) -> Parts:
    """PSPNet (Zhao et al. 2017), with its auxiliary loss where the backbone is dilated.

    tail: that of SMP, whose joined pyramid passes a 1x1 convolution, or that of the authors' code,
        a 3x3 that normalises the mean of the image too. Its deep stem is that of encoder resnet50s.
    align: smp is SMP's network, for its checkpoints: the feature at 1/8, no stage behind it, no
        auxiliary loss, and its way to enlarge. ValueError for an encoder without that feature.
    """
    if align == "smp":
        return _as_smp(features, classes, tail)
    decoder = PSPDecoder([IMAGE_CHANNELS, *features.channels], out_channels=PSP_CHANNELS)
    deepest = features.channels[-1]
    if deepest % 4:
        # SMP forgets that the four poolings of a quarter of the channels each lose the rest
        decoder.conv = Conv2dReLU(deepest + 4 * (deepest // 4), PSP_CHANNELS, kernel_size=1)
    if tail == "published":
        _publish(decoder, deepest)
    stride = features.output_stride
    last = head(PSP_CHANNELS, classes, kernel=1 if tail == "published" else 3, scale=stride)
    if stride == LIGHT:
        return Parts(decoder, last)
    auxiliary = auxiliary_head(features.channels[-2], classes, scale=stride)
    return Parts(decoder, last, auxiliary, AUXILIARY_WEIGHT)


def _as_smp(features: Features, classes: int, tail: str) -> Parts:
    channels = [IMAGE_CHANNELS, *features.channels[:_SMP_DEPTH]]
    if tail != "light" or not channels[-1]:
        without = f"tail: {tail}" if tail != "light" else "an encoder that has no feature at 1/8"
        raise ValueError(f"align: smp is a network of SMP, which does not have {without}")
    last = head(PSP_CHANNELS, classes, kernel=3, scale=1 << _SMP_DEPTH, corners=True)
    return Parts(_Shallow(channels, out_channels=PSP_CHANNELS), last)


class _Shallow(PSPDecoder):  # type: ignore[misc]
    """[image, five features] -> N x 512 x H/8 x W/8, of the third."""

    def forward(self, features: list[Tensor]) -> Tensor:
        decoded: Tensor = super().forward(features[: 1 + _SMP_DEPTH])
        return decoded


def _publish(decoder: PSPDecoder, channels: int) -> None:
    quarter = channels // 4
    decoder.psp.blocks[0].pool = nn.Sequential(
        nn.AdaptiveAvgPool2d(1),
        nn.Sequential(
            nn.Conv2d(channels, quarter, 1, bias=False), PooledNorm(quarter), nn.ReLU(inplace=True)
        ),
    )
    decoder.conv = convolution(channels + 4 * quarter, PSP_CHANNELS)
    decoder.dropout = nn.Dropout2d(_DROPOUT)
