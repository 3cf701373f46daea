from __future__ import annotations

import pytest
import torch
from torch import nn

from pipeline.models.auxiliary.levels import tapped
from pipeline.models.decoders.parts import Tap
from pipeline.models.networks.fastscnn import InvertedResidual
from tests.helpers.small_networks import on_meta, whole


def test_it_has_about_as_many_parameters_as_its_paper_says() -> None:
    parts = on_meta("fastscnn", 19)
    modules = (parts.decoder, parts.head)
    count = sum(p.numel() for module in modules for p in module.parameters())
    assert count == pytest.approx(1.11e6, rel=0.03)


def test_its_branches_meet_at_an_eighth() -> None:
    decoder = on_meta("fastscnn").decoder
    taps = [Tap("shared"), Tap("context"), Tap("fine"), Tap("coarse")]
    with tapped(decoder, taps) as features:
        last = decoder([torch.empty(1, 3, 256, 128, device="meta")])
    shapes = [tuple(each.shape[1:]) for each in (*features, last)]
    eighth = (128, 32, 16)
    assert shapes == [(64, 32, 16), (128, 8, 4), eighth, eighth, eighth]


def test_its_context_has_nine_bottlenecks_of_which_six_add() -> None:
    context = on_meta("fastscnn").decoder.context
    blocks = [each for each in context if isinstance(each, InvertedResidual)]
    assert [each.adds for each in blocks] == [False, True, True] * 3


def test_the_fusion_looks_at_the_enlarged_context_with_dilation() -> None:
    coarse = on_meta("fastscnn").decoder.coarse
    depthwise = next(each for each in coarse.modules() if isinstance(each, nn.Conv2d))
    assert (depthwise.dilation, depthwise.groups) == ((4, 4), 128)


def test_a_single_image_of_the_smallest_size_does_not_stop_the_pyramid() -> None:
    """The mean of a whole image is one value a channel, which batch normalisation refuses."""
    network = whole("fastscnn").train()
    assert network(torch.rand(1, 3, 64, 32)).shape == (1, 2, 64, 32)
