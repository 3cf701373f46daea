"""LinkNet (Chaurasia & Culurciello 2017, arXiv 1707.03718) and its dilated-centre offspring.

A decoder block squeezes to a quarter of its channels, doubles the size by a transposed convolution
and expands again; the encoder's feature of that size is added, not concatenated.
D-LinkNet (Zhou et al. 2018) puts a cascade of dilated convolutions in the centre. "DinkNet" here
and elsewhere in this project is plain LinkNet on a DenseNet; D-LinkNet is called `dlinknet`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch.nn.functional as F
from torch import Tensor, nn

from pipeline.models.decoders.attention import NonLocal, Scse
from pipeline.models.decoders.enlarging import Upsampling, enlarging
from pipeline.models.decoders.layers import convolution
from pipeline.models.decoders.parts import Features, Parts

LAST_CHANNELS = 32
_FIRST_CHANNELS = 2 * LAST_CHANNELS


@dataclass(frozen=True)
class _Options:
    links: Literal[3, 4]
    scse: bool
    upsampling: Upsampling
    published: bool = False


def linknet(
    features: Features,
    classes: int,
    *,
    links: Literal[3, 4] = 3,
    scse: bool = False,
    non_local: bool = False,
    upsampling: Upsampling = "transposed",
) -> Parts:
    """LinkNet (Chaurasia & Culurciello 2017).

    links: 3 links 1/4, 1/8 and 1/16; 4 also what the first stage is given, as the authors do.
    scse: each block ends in attention. non_local: the deepest feature passes a non-local block.
    upsampling: how a map is doubled.
    """
    centre = NonLocal(features.channels[-1]) if non_local else nn.Identity()
    decoder = LinkNetDecoder(features, centre, _Options(links, scse, upsampling))
    return Parts(decoder, linknet_head(classes))


def dlinknet(
    features: Features,
    classes: int,
    *,
    links: Literal[3, 4] = 3,
    tail: Literal["linknet", "published"] = "linknet",
    dilation: Literal[4, 8, 16] = 8,
    scse: bool = False,
    non_local: bool = False,
    upsampling: Upsampling = "transposed",
) -> Parts:
    """D-LinkNet (Zhou et al. 2018): LinkNet with a dilated centre.

    tail: that of LinkNet, which ends in a transposed convolution, or that of the authors' code,
        which reaches the image's size one layer earlier and refines it there.
    dilation: the largest of the centre, which doubles from 1; the authors' code has 8, and 16 on
        encoders with bottlenecks.
    links, scse, non_local, upsampling: as of `linknet`.
    """
    published = tail == "published"
    centre: nn.Module = DilatedCentre(features.channels[-1], dilation)
    if non_local:
        centre = nn.Sequential(centre, NonLocal(features.channels[-1]))
    decoder = LinkNetDecoder(features, centre, _Options(links, scse, upsampling, published))
    last = nn.Conv2d(LAST_CHANNELS, classes, 3, padding=1) if published else linknet_head(classes)
    return Parts(decoder, last)


class LinkNetDecoder(nn.Module):
    """[image, five features (1/2 .. 1/32)] -> N x 32 x H/2 x W/2; published: x H x W.

    Three links are those at 1/4, 1/8 and 1/16. The fourth is the input of the first stage: the
    feature at 1/2, pooled as in a ResNet, or as it is where the block before doubles to 1/2
    (published). The block before it has as many channels, as before every other link. An encoder
    without a feature at 1/2 (ConvNeXt, Swin) is given a convolution that looks at the image.
    """

    def __init__(self, features: Features, centre: nn.Module, options: _Options) -> None:
        super().__init__()
        half, quarter, eighth, sixteenth, deepest = features.channels
        self.published, self.links = options.published, options.links
        self.centre = centre
        self.block4 = _block(deepest, sixteenth, options)
        self.block3 = _block(sixteenth, eighth, options)
        self.block2 = _block(eighth, quarter, options)
        first = quarter if options.published else _FIRST_CHANNELS
        if options.links == 4:
            first = half or _FIRST_CHANNELS
            self.stem = nn.Identity() if half else convolution(features.image, first, stride=2)
        self.block1 = _block(quarter, first, options, enlarges=options.published)
        tail = _published_tail if options.published else _tail
        self.enlarge, self.refine = tail(first, options.upsampling)

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        quarter, eighth, sixteenth, deepest = features[2:]
        x = self.block4(self.centre(deepest)) + sixteenth
        x = self.block3(x) + eighth
        x = self.block2(x) + quarter
        x = self.block1(x)
        if self.links == 4:
            x = x + self._first_link(features)
        refined: Tensor = self.refine(self.enlarge(x))
        return refined

    def _first_link(self, features: Sequence[Tensor]) -> Tensor:
        image, half = features[:2]
        link: Tensor = self.stem(half if half.shape[1] else image)
        return link if self.published else F.max_pool2d(link, 3, stride=2, padding=1)


def linknet_head(classes: int) -> nn.Module:
    """N x 32 x H/2 x W/2 -> logits N x classes x H x W: the paper's last full convolution."""
    return nn.ConvTranspose2d(LAST_CHANNELS, classes, 2, stride=2)


class DilatedCentre(nn.Module):
    """The sum of a feature and what 3x3 convolutions of dilation 1, 2, 4, … make of it in a row."""

    def __init__(self, channels: int, largest: int = 8) -> None:
        super().__init__()
        rates = [2**power for power in range(largest.bit_length())]
        self.steps = nn.ModuleList(
            nn.Conv2d(channels, channels, 3, padding=rate, dilation=rate) for rate in rates
        )

    def forward(self, feature: Tensor) -> Tensor:
        total = step_output = feature
        for step in self.steps:
            step_output = F.relu(step(step_output))
            total = total + step_output
        return total


def _block(channels: int, out: int, options: _Options, enlarges: bool = True) -> nn.Sequential:
    """N x c x H x W -> N x d x 2H x 2W, or H x W, through c / 4 channels."""
    middle = max(channels // 4, 1)
    return nn.Sequential(
        convolution(channels, middle, kernel=1),
        _normalised(
            enlarging(options.upsampling, middle, middle)
            if enlarges
            else nn.ConvTranspose2d(middle, middle, 3, padding=1, bias=False),
            middle,
        ),
        convolution(middle, out, kernel=1),
        *([Scse(out)] if options.scse else []),
    )


def _tail(channels: int, upsampling: Upsampling) -> tuple[nn.Sequential, nn.Sequential]:
    enlarge = _normalised(enlarging(upsampling, channels, LAST_CHANNELS), LAST_CHANNELS)
    return enlarge, convolution(LAST_CHANNELS, LAST_CHANNELS)


def _published_tail(channels: int, upsampling: Upsampling) -> tuple[nn.Sequential, nn.Sequential]:
    if upsampling == "transposed":
        enlarge: nn.Module = nn.ConvTranspose2d(channels, LAST_CHANNELS, 4, stride=2, padding=1)
    else:
        enlarge = enlarging(upsampling, channels, LAST_CHANNELS)
    refine = nn.Conv2d(LAST_CHANNELS, LAST_CHANNELS, 3, padding=1)
    return (
        nn.Sequential(enlarge, nn.ReLU(inplace=True)),
        nn.Sequential(refine, nn.ReLU(inplace=True)),
    )


def _normalised(layer: nn.Module, channels: int) -> nn.Sequential:
    return nn.Sequential(layer, nn.BatchNorm2d(channels), nn.ReLU(inplace=True))
