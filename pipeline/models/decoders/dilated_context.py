"""Multi-scale context by dilated convolutions (Yu & Koltun 2016, arXiv 1511.07122).

The scores of a dilated encoder pass seven 3x3 convolutions of dilation 1, 1, 2, 4, 8, 16 and 1 and
a 1x1, which leave them as they are at first. This is the basic module, as wide as there are
classes.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from pipeline.models.decoders.layers import Deepest
from pipeline.models.decoders.parts import Features, Parts

RATES = (1, 1, 2, 4, 8, 16, 1)


def dilated_context(features: Features, classes: int) -> Parts:
    """Context module (Yu & Koltun 2016)."""
    last = nn.Sequential(
        nn.Conv2d(features.channels[-1], classes, 1),
        Context(classes),
        nn.Upsample(scale_factor=features.output_stride, mode="bilinear", align_corners=False),
    )
    return Parts(Deepest(), last)


class Context(nn.Module):
    """Scores N x classes x H x W -> scores that know of 67 x 67 cells around each.

    Each convolution but the last is truncated at 0, as in the paper: where scores do not compete
    (sigmoid), what speaks against a class is in the last bias.
    """

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            nn.Conv2d(classes, classes, 3, padding=rate, dilation=rate) for rate in RATES
        )
        self.last = nn.Conv2d(classes, classes, 1)
        for layer in [*self.layers, self.last]:
            nn.init.dirac_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(self, scores: Tensor) -> Tensor:
        for layer in self.layers:
            scores = F.relu(layer(scores))
        final: Tensor = self.last(scores)
        return final
