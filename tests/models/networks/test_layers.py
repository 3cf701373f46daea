from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from pipeline.models.decoders.layers import binned
from pipeline.models.networks.layers import initialise, pooled, unpooled


def test_unpooling_puts_maxima_back_to_their_places() -> None:
    feature = torch.randn(2, 3, 8, 12)
    values, indices = pooled(feature)
    assert values.shape == (2, 3, 4, 6)
    torch.testing.assert_close(unpooled(values, indices), F.max_unpool2d(values, indices, 2))


def test_unpooling_passes_the_gradient_back() -> None:
    feature = torch.randn(1, 2, 4, 4, requires_grad=True)
    (unpooled(*pooled(feature)) * torch.arange(16.0).reshape(4, 4)).sum().backward()
    assert feature.grad is not None
    assert int((feature.grad != 0).sum()) <= 8


@pytest.mark.parametrize(
    "layer",
    [
        nn.Conv2d(48, 32, 3),
        nn.Conv2d(48, 48, 5, groups=4),
        nn.Conv3d(32, 24, 2, stride=2),
        nn.ConvTranspose2d(48, 32, 2, stride=2),
        nn.ConvTranspose2d(48, 32, 4, stride=2),
        nn.ConvTranspose3d(32, 24, 2, stride=2),
    ],
    ids=str,
)
def test_a_layer_and_a_relu_keep_the_size_of_features(layer: nn.Module) -> None:
    torch.manual_seed(0)
    initialise(layer)
    sides = [40, 40] if "2d" in type(layer).__name__ else [12, 12, 12]
    with torch.no_grad():
        output = F.relu(layer(torch.randn(2, layer.in_channels, *sides)))
    inside = output[(..., *[slice(4, -4) for _ in sides])] if len(sides) == 2 else output
    assert float(inside.square().mean()) == pytest.approx(1, rel=0.15)


@pytest.mark.parametrize("bins", [1, 2, 3, 6])
@pytest.mark.parametrize("size", [(1, 1), (2, 5), (6, 12), (7, 10)])
def test_bins_are_those_of_adaptive_pooling(bins: int, size: tuple[int, int]) -> None:
    feature = torch.randn(2, 3, *size)
    torch.testing.assert_close(binned(feature, bins), F.adaptive_avg_pool2d(feature, bins))
