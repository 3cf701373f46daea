"""Layers that several whole networks are made of, and how their weights begin."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

_Convolution = nn.Conv2d | nn.Conv3d
_Transposed = nn.ConvTranspose2d | nn.ConvTranspose3d


class OfImage(nn.Module):
    """[image] -> what the network makes of it."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Sequence[Tensor]) -> Tensor:
        (image,) = images
        features: Tensor = self.network(image)
        return features


def pooled(feature: Tensor) -> tuple[Tensor, Tensor]:
    """N x c x H x W -> the maximum of each 2 x 2, N x c x H/2 x W/2, and its index in H * W."""
    values, indices = F.max_pool2d(feature, 2, return_indices=True)
    return values, indices


def unpooled(feature: Tensor, indices: Tensor) -> Tensor:
    """N x c x H x W -> N x c x 2H x 2W: values at the indices of `pooled`, 0 elsewhere.

    What `max_unpool2d` computes, which cannot be exported and is not deterministic on CUDA.
    """
    count, channels, height, width = feature.shape
    empty = feature.new_zeros(count, channels, 4 * height * width)
    filled = empty.scatter(2, indices.flatten(2), feature.flatten(2))
    return filled.reshape(count, channels, 2 * height, 2 * width)


def initialise(network: nn.Module) -> None:
    """Random weights that keep the size of features (He et al. 2015, arXiv 1502.01852).

    A convolution's are normal with variance 2 / (inputs that an output is computed from), of which
    a transposed one has fewer by its stride in each direction; biases are 0.
    """
    for module in network.modules():
        if isinstance(module, _Convolution):
            _draw(module, module.weight[0].numel())
        elif isinstance(module, _Transposed):
            _draw(module, module.weight[:, 0].numel() / math.prod(module.stride))


def _draw(module: _Convolution | _Transposed, inputs: float) -> None:
    nn.init.normal_(module.weight, std=math.sqrt(2 / inputs))
    if module.bias is not None:
        nn.init.zeros_(module.bias)
