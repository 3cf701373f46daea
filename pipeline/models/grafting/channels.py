"""Any number of input channels, at the pretrained response.

One or two channels are repeated into three. More than three take turns as red, green and blue:
input channel c is given the weights of colour c % 3, divided by how many share that colour, so
that a gray or repeated image gets the response that the network had. A layer that standardises
its weights would undo that; it gets a 1x1 convolution in front that averages each colour.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from timm.layers.std_conv import ScaledStdConv2d, ScaledStdConv2dSame, StdConv2d, StdConv2dSame
from torch import Tensor, nn

from pipeline.errors import ConfigError
from pipeline.models.grafting.prune import replace_module

COLOURS = 3
_STANDARDISING = (StdConv2d, StdConv2dSame, ScaledStdConv2d, ScaledStdConv2dSame)


def adapt_input(name: str, backbone: nn.Module, in_channels: int) -> None:
    """Let the layers of `backbone` that see the image take `in_channels` instead of three."""
    if in_channels <= COLOURS:
        return
    layers = [
        (path, module)
        for path, module in backbone.named_modules()
        if isinstance(module, nn.Conv2d) and module.in_channels == COLOURS and module.groups == 1
    ]
    if not layers:
        raise ConfigError(f"encoder {name!r} cannot take {in_channels} channels: three at most")
    colours = [channel % COLOURS for channel in range(in_channels)]
    for path, layer in layers:
        if isinstance(layer, _STANDARDISING):
            replace_module(backbone, path, nn.Sequential(_average(colours), layer))
        else:
            layer.in_channels = in_channels
            layer.weight = nn.Parameter(shared_weights(layer.weight.detach(), colours))


def shared_weights(weight: Tensor, colours: Sequence[int]) -> Tensor:
    """O x 3 x h x w -> O x len(colours) x h x w: a colour's weights shared among its channels."""
    counts = torch.bincount(torch.tensor(colours), minlength=COLOURS)
    return torch.stack([weight[:, colour] / counts[colour] for colour in colours], dim=1)


def repeated(images: Tensor) -> Tensor:
    """One or two channels -> three; more stay as they are."""
    if images.shape[1] >= COLOURS:
        return images
    return images[:, [channel % images.shape[1] for channel in range(COLOURS)]]


def per_channel(values: Sequence[float], channels: int) -> Tensor:
    """A colour statistic for every one of max(channels, 3) channels, as 1 x C x 1 x 1."""
    count = max(channels, COLOURS)
    return torch.tensor([values[c % COLOURS] for c in range(count)]).view(1, -1, 1, 1)


def _average(colours: Sequence[int]) -> nn.Conv2d:
    mixing = nn.Conv2d(len(colours), COLOURS, 1, bias=False)
    identity = torch.eye(COLOURS)[:, :, None, None]
    mixing.weight = nn.Parameter(shared_weights(identity, colours))
    return mixing
