"""V-Net (Milletari, Navab & Ahmadi 2016, arXiv 1606.04797).

Residual stages of 5x5 convolutions, strided convolutions instead of pooling, and learned slopes.
The paper's is in three dimensions; so is the module here with `dimensions` 3.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from pipeline.models.decoders.heads import head
from pipeline.models.decoders.parts import Parts

DEPTHS = (1, 2, 3, 3, 3)
"""Convolutions of the stages on the way down; those on the way up have as many as theirs."""
KERNEL = 5

Dimensions = Literal[2, 3]

_CONVOLUTION: dict[int, type[nn.Conv2d] | type[nn.Conv3d]] = {2: nn.Conv2d, 3: nn.Conv3d}
_TRANSPOSED: dict[int, type[nn.ConvTranspose2d] | type[nn.ConvTranspose3d]] = {
    2: nn.ConvTranspose2d,
    3: nn.ConvTranspose3d,
}
_NORM: dict[int, type[nn.BatchNorm2d] | type[nn.BatchNorm3d]] = {
    2: nn.BatchNorm2d,
    3: nn.BatchNorm3d,
}


def vnet(image: int, classes: int, *, norm: bool = False, width: int = 16) -> Parts:
    """V-Net (Milletari et al. 2016) of images.

    norm: batch normalisation after each convolution, which the paper does not have.
    width: channels of the finest stage.
    """
    return Parts(VNet(image, width, norm=norm), head(2 * width, classes, kernel=1))


class VNet(nn.Module):
    """[image N x C x sizes], sizes multiples of 16 -> N x 2 * width x sizes.

    depths: convolutions of the stages, down and up.
    """

    def __init__(
        self,
        image: int,
        width: int,
        *,
        norm: bool = False,
        dimensions: Dimensions = 2,
        down: Sequence[int] = DEPTHS,
        up: Sequence[int] = DEPTHS[-2::-1],
    ) -> None:
        super().__init__()
        self.width = width
        layers = _Layers(dimensions, norm)
        widths = [width << stage for stage in range(len(down))]
        self.first = _Stage(layers, width, down[0], inputs=image)
        self.shrink = nn.ModuleList(layers.halving(each) for each in widths[:-1])
        self.down = nn.ModuleList(
            _Stage(layers, each, depth) for each, depth in zip(widths[1:], down[1:], strict=True)
        )
        self.enlarge, self.up = nn.ModuleList(), nn.ModuleList()
        channels = widths[-1]
        for skip, depth in zip(widths[-2::-1], up, strict=True):
            self.enlarge.append(layers.doubling(channels, skip))
            channels = 2 * skip
            self.up.append(_Stage(layers, channels, depth))

    def forward(self, images: Sequence[Tensor]) -> Tensor:
        (image,) = images
        x: Tensor = self.first(image, _repeated(image, self.width))
        skips = []
        for shrink, stage in zip(self.shrink, self.down, strict=True):
            skips.append(x)
            x = shrink(x)
            x = stage(x, x)
        for enlarge, stage, skip in zip(self.enlarge, self.up, reversed(skips), strict=True):
            x = torch.cat([enlarge(x), skip], dim=1)
            x = stage(x, x)
        return x


class _Layers:
    """The layers of so many dimensions, with or without normalisation."""

    def __init__(self, dimensions: Dimensions, norm: bool) -> None:
        self.dimensions, self.norm = dimensions, norm

    def convolution(self, channels: int, out: int) -> list[nn.Module]:
        convolution = _CONVOLUTION[self.dimensions]
        layer = convolution(channels, out, KERNEL, padding="same", bias=not self.norm)
        return self._normalised(layer, out)

    def halving(self, channels: int) -> nn.Sequential:
        out = 2 * channels
        layer = _CONVOLUTION[self.dimensions](channels, out, 2, stride=2, bias=not self.norm)
        return nn.Sequential(*self._normalised(layer, out), nn.PReLU(out))

    def doubling(self, channels: int, out: int) -> nn.Sequential:
        layer = _TRANSPOSED[self.dimensions](channels, out, 2, stride=2, bias=not self.norm)
        return nn.Sequential(*self._normalised(layer, out), nn.PReLU(out))

    def _normalised(self, layer: nn.Module, out: int) -> list[nn.Module]:
        return [layer, _NORM[self.dimensions](out)] if self.norm else [layer]


class _Stage(nn.Module):
    """x, shortcut -> convolutions of x, the shortcut added before the last activation."""

    def __init__(
        self, layers: _Layers, channels: int, depth: int, inputs: int | None = None
    ) -> None:
        super().__init__()
        branch = layers.convolution(channels if inputs is None else inputs, channels)
        for _ in range(depth - 1):
            branch += [nn.PReLU(channels), *layers.convolution(channels, channels)]
        self.branch = nn.Sequential(*branch)
        self.activation = nn.PReLU(channels)

    def forward(self, x: Tensor, shortcut: Tensor) -> Tensor:
        activated: Tensor = self.activation(self.branch(x) + shortcut)
        return activated


def _repeated(image: Tensor, width: int) -> Tensor:
    """The channels of an image, again and again, the first `width` of them."""
    times = -(-width // image.shape[1])
    return torch.cat([image] * times, dim=1)[:, :width]
