"""PSPNet (Zhao et al. 2017)."""

from __future__ import annotations

from segmentation_models_pytorch.base.modules import Conv2dReLU
from segmentation_models_pytorch.decoders.pspnet.decoder import PSPDecoder

from pipeline.models.decoders.heads import auxiliary_head, head
from pipeline.models.decoders.parts import IMAGE_CHANNELS, LIGHT, Features, Parts

PSP_CHANNELS = 512
AUXILIARY_WEIGHT = 0.4


def pspnet(features: Features, classes: int) -> Parts:
    """PSPNet (Zhao et al. 2017), with its auxiliary loss where the backbone is dilated."""
    decoder = PSPDecoder([IMAGE_CHANNELS, *features.channels], out_channels=PSP_CHANNELS)
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
