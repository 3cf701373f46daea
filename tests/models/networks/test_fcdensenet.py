from __future__ import annotations

import pytest
import torch
from torch import nn

from pipeline.models.networks.fcdensenet import Enlarge
from tests.helpers.small_networks import on_meta


@pytest.mark.parametrize(
    ("layers", "growth", "depths"),
    [
        (56, 12, (4, 4, 4, 4, 4, 4)),
        (67, 16, (5, 5, 5, 5, 5, 5)),
        (103, 16, (15, 12, 10, 7, 5, 4)),
    ],
)
def test_it_has_as_many_convolutions_as_its_name_says(
    layers: int, growth: int, depths: tuple[int, ...]
) -> None:
    parts = on_meta(f"fcdensenet{layers}")
    kinds = (nn.Conv2d, nn.ConvTranspose2d)
    modules = [*parts.decoder.modules(), *parts.head.modules()]
    assert sum(isinstance(each, kinds) for each in modules) == layers
    enlarged = [each.transposed.in_channels for each in parts.decoder.enlarge]
    assert enlarged == [growth * depth for depth in depths[:-1]], "only what a block adds goes up"


def test_it_drops_a_fifth_after_each_convolution_of_a_block() -> None:
    decoder = on_meta("fcdensenet56").decoder
    dropped = [each.p for each in decoder.modules() if isinstance(each, nn.Dropout)]
    assert dropped == [0.2] * (4 * 11 + 5)


def test_its_last_map_has_the_channels_of_the_paper() -> None:
    assert on_meta("fcdensenet103").decoder.channels == 256


def test_enlarging_does_not_stretch_the_feature() -> None:
    layer = Enlarge(1)
    nn.init.zeros_(layer.transposed.bias)
    nn.init.zeros_(layer.transposed.weight)
    layer.transposed.weight.data[..., 0, 0] = 1
    feature = torch.rand(1, 1, 8, 24)
    enlarged = layer(feature)
    assert enlarged.shape == (1, 1, 16, 48)
    torch.testing.assert_close(enlarged[..., ::2, ::2], feature)
