from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pipeline.models.grafting.grid import choose_left, measure_offsets
from pipeline.models.grafting.probe import PROBE_SIZES, trace
from pipeline.models.grafting.taps import find_taps
from tests.helpers.small_models import Toy, graft


@pytest.mark.parametrize("padding", [0, 1])
def test_offsets_are_those_of_receptive_field_arithmetic(padding: int) -> None:
    toy = Toy(padding=padding)
    taps = find_taps(toy, trace(toy, PROBE_SIZES[0]))
    expected, offset = [], 0.0
    for level in range(len(taps)):
        # a 3x3 kernel looks at the cell in its middle: 1 - padding cells of the level above
        offset += (1 - padding) * 2**level
        expected.append(offset)
    assert measure_offsets(toy, taps) == pytest.approx(expected, abs=0.1)


def test_measuring_leaves_the_network_as_it_was() -> None:
    toy = Toy(padding=0)
    before = {name: tensor.clone() for name, tensor in toy.state_dict().items()}
    taps = find_taps(toy, trace(toy, PROBE_SIZES[0]))
    state = torch.get_rng_state()
    measure_offsets(toy, taps)
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(toy.state_dict()[name], tensor) for name, tensor in before.items())


@given(st.lists(st.floats(-16, 48), min_size=5, max_size=5))
def test_every_level_ends_within_half_a_cell_of_its_place(offsets: list[float]) -> None:
    strides = [2, 4, 8, 16, 32]
    left, starts = choose_left(strides, offsets)
    for stride, offset, start in zip(strides, offsets, starts, strict=True):
        centre = offset + start * stride - left
        assert start >= 0
        assert abs(centre - (stride - 1) / 2) <= stride / 2 + 1e-6


def test_inception_is_put_into_place() -> None:
    """Its offsets follow from its layers by hand: 3, 9, 13, 21 and 37 pixels."""
    plan = graft("inception_v3").plan
    for stride, offset, start in zip(
        plan.strides(), (3, 9, 13, 21, 37), plan.grid.starts, strict=True
    ):
        error = offset + start * stride - plan.grid.left - (stride - 1) / 2
        assert abs(error) <= 0.3 * stride
