from __future__ import annotations

import pytest
import torch
from torch import nn

from pipeline.models.factory import parameter_count
from pipeline.models.networks.vnet import KERNEL, VNet
from tests.helpers.small_networks import on_meta


def test_its_stages_see_as_far_as_those_of_the_paper() -> None:
    decoder = on_meta("vnet").decoder
    stages = [decoder.first, *decoder.down, *decoder.up]
    strides = (1, 2, 4, 8, 16, 8, 4, 2, 1)
    seen, views = 1, []
    for number, (stage, stride) in enumerate(zip(stages, strides, strict=True)):
        resampling = min(stride, strides[number - 1]) if number else 0
        seen += resampling + stride * (KERNEL - 1) * len(_convolutions(stage))
        views.append(seen)
    assert views == [5, 22, 72, 172, 372, 476, 528, 546, 551]


def test_in_three_dimensions_it_has_the_parameters_of_a_public_one() -> None:
    with torch.device("meta"):
        decoder = VNet(1, 16, norm=True, dimensions=3, down=(1, 1, 2, 3, 2), up=(2, 2, 1, 1))
    # Theirs has fewer convolutions than the paper's (as above), biases before normalisation, a
    # second slope after each sum, and three more layers before the last one of 1x1x1.
    biases, slopes, last = 2656, 962, 8012
    assert parameter_count(decoder) + biases + slopes + last == 45_603_934


def test_three_dimensions_work_as_two_do() -> None:
    torch.manual_seed(0)
    network = VNet(2, 2, dimensions=3)
    last = network([torch.rand(1, 2, 16, 32, 16)])
    assert last.shape == (1, 4, 16, 32, 16)
    last.square().mean().backward()
    assert not [name for name, p in network.named_parameters() if p.grad is None]


@pytest.mark.parametrize("channels", [1, 3, 16, 20])
def test_the_first_stage_adds_the_image_itself(channels: int) -> None:
    decoder = VNet(channels, 16)
    for parameter in decoder.first.branch.parameters():
        nn.init.zeros_(parameter)
    image = torch.rand(1, channels, 16, 16)
    seen: list[torch.Tensor] = []
    decoder.first.register_forward_hook(lambda _, __, output: seen.append(output))
    with torch.no_grad():
        decoder([image])
    expected = torch.stack([image[:, number % channels] for number in range(16)], dim=1)
    torch.testing.assert_close(seen[0], expected)


@pytest.mark.parametrize("norm", [False, True])
def test_it_learns_slopes_and_has_normalisation_when_it_is_asked_for(norm: bool) -> None:
    decoder = on_meta("vnet", norm=norm).decoder
    kinds = [type(each) for each in decoder.modules()]
    assert nn.ReLU not in kinds
    convolutions = kinds.count(nn.Conv2d) + kinds.count(nn.ConvTranspose2d)
    assert kinds.count(nn.PReLU) == convolutions
    assert kinds.count(nn.BatchNorm2d) == (convolutions if norm else 0)


def _convolutions(stage: nn.Module) -> list[nn.Conv2d]:
    return [each for each in stage.modules() if isinstance(each, nn.Conv2d)]
