from __future__ import annotations

import pytest
import torch
from torch import nn

from pipeline.models.networks.drn import Residual
from tests.helpers.small_networks import on_meta

DRN = ("drn_c_26", "drn_c_42", "drn_d_22", "drn_d_38", "drn_d_54", "drn_d_105")


@pytest.mark.parametrize("name", DRN)
def test_its_map_stays_at_an_eighth(name: str) -> None:
    decoder = on_meta(name).decoder
    assert decoder([torch.empty(1, 3, 256, 192, device="meta")]).shape == (1, 512, 32, 24)
    assert not any(isinstance(each, nn.MaxPool2d) for each in decoder.modules())


@pytest.mark.parametrize("name", DRN)
def test_dilation_grows_to_four_and_falls_again_without_shortcuts(name: str) -> None:
    blocks = list(on_meta(name).decoder.network)
    residual = [isinstance(block, Residual) for block in blocks]
    last = len(blocks) - residual[::-1].index(True)
    rates = [_dilations(block) for block in blocks]
    assert rates[last - 1] == {4}
    assert [min(each) for each in rates[last:]] == ([2, 2, 1, 1] if "_c_" in name else [2, 1])
    assert residual.count(True) == sum(residual[:last])


@pytest.mark.parametrize("name", DRN)
def test_form_c_begins_with_residual_blocks_and_form_d_with_plain_ones(name: str) -> None:
    blocks = list(on_meta(name).decoder.network)
    assert isinstance(blocks[1], Residual) == ("_c_" in name)


def _dilations(block: nn.Module) -> set[int]:
    """Of the 3x3 convolutions of a block."""
    convolutions = (each for each in block.modules() if isinstance(each, nn.Conv2d))
    return {each.dilation[0] for each in convolutions if each.kernel_size == (3, 3)}
