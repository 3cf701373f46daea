"""U-Net as it was published (Ronneberger, Fischer & Brox 2015, arXiv 1505.04597).

Two convolutions a level, 64 channels at the finest and 1024 at the deepest; learned upsampling;
features of the way down are concatenated. The paper's dropout at the end of the contracting path
is on its two deepest levels. Different from the paper: convolutions pad by default, and there is
a form with batch normalisation.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pipeline.models.decoders.heads import head
from pipeline.models.decoders.parts import Parts
from pipeline.models.padding import mirrored

LEVELS = 5
_DROPPED = 2
_LOST = 92  # pixels that valid convolutions take from each side: 572 -> 388
_INSIDE = 2  # cells of each level that lie outside of an image whose sides are multiples of 16


def unet_original(
    image: int,
    classes: int,
    *,
    valid: bool = False,
    norm: bool = False,
    width: int = 64,
    dropout: float = 0.5,
) -> Parts:
    """U-Net (Ronneberger et al. 2015).

    valid: convolutions do not pad, as in the paper; the image is mirrored at its borders instead.
    norm: batch normalisation after each 3x3 convolution.
    width: channels of the finest level.
    """
    decoder = OriginalUnet(image, width, valid=valid, norm=norm, dropout=dropout)
    return Parts(decoder, head(width, classes, kernel=1))


class OriginalUnet(nn.Module):
    """[image N x C x H x W], H and W multiples of 16 -> N x width x H x W."""

    def __init__(self, image: int, width: int, *, valid: bool, norm: bool, dropout: float) -> None:
        super().__init__()
        self.valid = valid
        widths = [width << level for level in range(LEVELS)]
        down = [
            _two(channels, out, valid=valid, norm=norm)
            for channels, out in zip([image, *widths], widths, strict=False)
        ]
        for deep in down[-_DROPPED:]:
            deep.append(nn.Dropout(dropout))
        self.down = nn.ModuleList(down)
        upwards = widths[-2::-1]
        self.enlarge = nn.ModuleList(
            nn.ConvTranspose2d(2 * out, out, 2, stride=2) for out in upwards
        )
        self.up = nn.ModuleList(_two(2 * out, out, valid=valid, norm=norm) for out in upwards)
        self.inside = nn.ModuleList(_Inside(_INSIDE if valid else 0) for _ in upwards)

    def forward(self, images: Sequence[Tensor]) -> Tensor:
        (x,) = images
        if self.valid:
            x = _surrounded(x, _LOST + _INSIDE)
        skips = []
        for level, block in enumerate(self.down):
            x = block(F.max_pool2d(x, 2) if level else x)
            skips.append(x)
        shown = x
        steps = zip(self.enlarge, self.up, self.inside, skips[-2::-1], strict=True)
        for enlarge, block, inside, skip in steps:
            x = enlarge(x)
            x = block(torch.cat([_middle(skip, x) if self.valid else skip, x], dim=1))
            shown = inside(x)
        return shown


class _Inside(nn.Module):
    """A feature without the cells that lie outside of the image."""

    def __init__(self, cells: int) -> None:
        super().__init__()
        self.cells = cells

    def forward(self, feature: Tensor) -> Tensor:
        cells = self.cells
        return feature[..., cells:-cells, cells:-cells] if cells else feature


def _two(channels: int, out: int, *, valid: bool, norm: bool) -> nn.Sequential:
    """Two convolutions, each with its ReLU."""
    layers: list[nn.Module] = []
    for inputs in (channels, out):
        layers.append(nn.Conv2d(inputs, out, 3, padding=0 if valid else 1, bias=not norm))
        if norm:
            layers.append(nn.BatchNorm2d(out))
        layers.append(nn.ReLU(inplace=True))
    return nn.Sequential(*layers)


def _surrounded(image: Tensor, margin: int) -> Tensor:
    """The image and its mirror image at each border, `margin` wide."""
    rows, columns = (
        mirrored(side, margin, margin, image.device) for side in (image.shape[2], image.shape[3])
    )
    return image.index_select(2, rows).index_select(3, columns)


def _middle(feature: Tensor, smaller: Tensor) -> Tensor:
    """The middle of a feature, as large as `smaller`."""
    height, width = smaller.shape[2:]
    top, left = (feature.shape[2] - height) // 2, (feature.shape[3] - width) // 2
    return feature[..., top : top + height, left : left + width]
