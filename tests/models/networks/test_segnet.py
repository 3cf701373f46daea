from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from pipeline.models.auxiliary.levels import tapped
from pipeline.models.decoders.parts import Tap
from tests.helpers.small_networks import on_meta, shared_whole


def test_it_has_the_convolutions_of_vgg16_twice() -> None:
    parts = on_meta("segnet")
    down = [each.out_channels for each in _convolutions(parts.decoder.down)]
    assert down == [64] * 2 + [128] * 2 + [256] * 3 + [512] * 6
    up = [*_convolutions(parts.decoder.up), *_convolutions(parts.head)]
    assert [each.in_channels for each in up] == down[::-1]
    assert {each.kernel_size for each in up} == {(3, 3)}


def test_each_stage_unpools_to_where_its_own_pooling_found_the_maxima() -> None:
    network = shared_whole("segnet")
    taps = [Tap(f"down.{4 - stage}") for stage in range(5)]
    taps += [Tap(f"up.{stage}", of_input=True) for stage in range(5)]
    with torch.no_grad(), tapped(network.decoder, taps) as features:
        network(torch.rand(1, 3, 64, 96))
    for before, after in zip(features[:5], features[5:], strict=True):
        assert before.shape == after.shape
        highest = F.interpolate(F.max_pool2d(before, 2), scale_factor=2, mode="nearest")
        assert bool((after != 0).any())
        assert bool((before == highest)[after != 0].all())
        assert int((after != 0).sum()) <= after.numel() // 4


def _convolutions(module: nn.Module) -> list[nn.Conv2d]:
    return [each for each in module.modules() if isinstance(each, nn.Conv2d)]
