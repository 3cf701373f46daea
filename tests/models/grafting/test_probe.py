from __future__ import annotations

import timm
import torch
from torch import nn

from pipeline.models.grafting.probe import recorded, trace
from tests.helpers.small_models import Toy


def test_shapes_are_those_of_a_real_run() -> None:
    network = timm.create_model("test_efficientnet").eval()
    traced = trace(network, (64, 128))
    names = [event.name for event in traced.events]
    with recorded(network, names) as outputs, torch.no_grad():
        network.forward_features(torch.zeros(1, 3, 64, 128))
    assert names
    for event in traced.events:
        assert tuple(outputs[event.name].shape) == event.shape, event.name


def test_nothing_of_the_network_changes() -> None:
    network = timm.create_model("test_resnet").train()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    random_state = torch.get_rng_state()
    trace(network, (64, 128))
    assert network.training
    assert torch.equal(torch.get_rng_state(), random_state)
    after = network.state_dict()
    assert all(torch.equal(after[name], tensor) for name, tensor in before.items())
    assert all(not module._forward_hooks for module in network.modules())


def test_an_output_overwritten_in_place_is_marked() -> None:
    events = {event.name: event for event in trace(Toy(), (64, 128)).events}
    assert events["stages.0.0"].overwritten
    assert not events["stages.0.1"].overwritten


def test_only_used_parameters_are_listed() -> None:
    toy = Toy()
    toy.unused = nn.Linear(3, 3)
    used = trace(toy, (64, 128)).parameters
    assert "stages.0.0.weight" in used
    assert "classifier.bias" in used
    assert "unused.weight" not in used


class Tied(nn.Module):
    """One module in two places, as CoaT has them."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 3, 3, padding=1)
        self.second = self.first

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        output: torch.Tensor = self.second(self.first(images))
        return output


def test_shared_modules_come_back_whole() -> None:
    network = Tied()
    trace(network, (32, 64))
    assert network(torch.zeros(1, 3, 8, 8)).device.type == "cpu"
