from __future__ import annotations

from collections.abc import Iterator

import timm
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.autograd.graph import Node

from pipeline.models.grafting.dataflow import cut_nodes, parents
from pipeline.models.grafting.probe import PROBE_SIZES, trace
from pipeline.models.grafting.taps import find_taps
from tests.helpers.small_models import Toy


def taps_of(network: nn.Module) -> dict[int, str]:
    taps = find_taps(network, trace(network, PROBE_SIZES[0]))
    return {tap.shape.stride: tap.module for tap in taps}


def test_a_plain_network_is_tapped_behind_each_activation() -> None:
    assert taps_of(Toy()) == {2**i: f"stages.{i - 1}" for i in range(1, 6)}


def test_timm_feature_info_is_taken_where_it_is_right() -> None:
    network = timm.create_model("tf_efficientnet_lite0")
    assert taps_of(network) == {
        entry["reduction"]: entry["module"] for entry in network.feature_info
    }


def test_a_wrong_feature_info_is_not_believed() -> None:
    network = timm.create_model("test_resnet")
    right = taps_of(network)
    network.feature_info = [{"module": "layer1", "reduction": 2, "num_chs": 1}]
    assert taps_of(network)[4] == right[4]
    assert taps_of(network)[2] == right[2]


def test_without_feature_info_the_cuts_are_found() -> None:
    network = timm.create_model("resnet18")
    right = taps_of(network)
    network.feature_info = None
    assert taps_of(network) == right


class Branches(nn.Module):
    """Two branches at half size between two cuts."""

    def __init__(self) -> None:
        super().__init__()
        self.before = nn.Conv2d(3, 4, 3, stride=2, padding=1)
        self.left = nn.Conv2d(4, 4, 1)
        self.right = nn.Conv2d(4, 4, 1)
        self.after = nn.Conv2d(4, 4, 3, stride=2, padding=1)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        common = self.before(images)
        merged: torch.Tensor = self.after(self.left(common) + self.right(common))
        return merged


def test_a_branch_is_no_cut() -> None:
    traced = trace(Branches(), PROBE_SIZES[0])
    cuts = cut_nodes(traced.output_node, traced.input_node)
    cut_names = {event.name for event in traced.events if event.node in cuts}
    assert cut_names == {"before", "after"}


@given(
    st.lists(st.sets(st.integers(0, 7), min_size=1, max_size=3), min_size=1, max_size=8),
)
def test_cuts_are_what_all_paths_share(inputs: list[set[int]]) -> None:
    """Against the reference: every path is listed, and their nodes are intersected."""
    source = torch.zeros(1, requires_grad=True) * 1.0
    tensors = [source]
    for places in inputs:
        used = [tensors[place % len(tensors)] for place in sorted(places)]
        tensors.append(torch.stack(used).sum(dim=0))
    output = tensors[-1].grad_fn
    assert output is not None
    paths = list(paths_to(output, source.grad_fn))
    assert cut_nodes(output, source.grad_fn) == set.intersection(*map(set, paths))


def paths_to(node: Node, source: Node | None) -> Iterator[list[Node]]:
    if node == source:
        yield [node]
    for parent in parents(node):
        for path in paths_to(parent, source):
            yield [node, *path]


class ReductionBranches(nn.Module):
    """As Inception reduces: one branch works on at the old resolution before it halves."""

    def __init__(self) -> None:
        super().__init__()
        self.before = nn.Conv2d(3, 4, 3, stride=2, padding=1)
        self.short = nn.MaxPool2d(2)
        self.long = nn.Sequential(nn.Conv2d(4, 4, 1), nn.Conv2d(4, 4, 3, stride=2, padding=1))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        common = self.before(images)
        return torch.cat([self.short(common), self.long(common)], dim=1).relu()


def test_what_only_a_branch_has_is_not_tapped() -> None:
    assert taps_of(ReductionBranches())[2] == "before"


def test_resolutions_without_a_cut_get_their_last_activation() -> None:
    with torch.device("meta"):
        network = timm.create_model("hrnet_w18_small")
    assert sorted(taps_of(network)) == [2, 4, 8, 16, 32]
