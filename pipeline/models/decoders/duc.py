"""Dense upsampling convolution (Wang et al. 2018, arXiv 1702.08502).

The scores of all pixels of a cell are channels of that cell, and are put in their places: nothing
is interpolated. The paper's ReLU on the scores is left out: with it no score could speak against a
class.
"""

from __future__ import annotations

from torch import nn

from pipeline.models.decoders.layers import Deepest
from pipeline.models.decoders.parts import Features, Parts


def duc(features: Features, classes: int, *, hdc: bool = False) -> Parts:
    """Dense upsampling convolution (Wang et al. 2018).

    hdc: hybrid dilated convolution: the encoder's last stages are dilated by the paper's rates
        instead of by doubling ones. It is the encoder's to do so (`wants_hybrid_dilation` of the
        registry): nothing is built otherwise.
    """
    stride = features.output_stride
    scores = classes * stride**2
    last = nn.Sequential(
        nn.Conv2d(features.channels[-1], scores, 3, padding=1),
        nn.BatchNorm2d(scores),
        nn.PixelShuffle(stride),
    )
    return Parts(Deepest(), last)
