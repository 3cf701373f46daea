from __future__ import annotations

import pytest
import torch

from pipeline.models.grafting.fill_levels import STEM_CHANNELS, FillLevels
from pipeline.models.grafting.plan import LEVELS


@pytest.mark.parametrize(
    "have",
    [
        {2: 4, 4: 8, 8: 16, 16: 32, 32: 64},
        {4: 8, 8: 16, 16: 32, 32: 64},
        {16: 192},
        {32: 96},
        {8: 96, 16: 192},
        {2: 8, 8: 24},
        {4: 8, 16: 8},
    ],
)
def test_every_level_is_there_and_learns(have: dict[int, int]) -> None:
    fill = FillLevels(have, in_channels=3)
    image = torch.rand(2, 3, 64, 96)
    given = {r: torch.rand(2, c, 64 // r, 96 // r, requires_grad=True) for r, c in have.items()}
    complete = fill(image, given)
    assert set(complete) == set(LEVELS)
    for level, feature in complete.items():
        assert feature.shape == (2, fill.channels[level], 64 // level, 96 // level)
    for level, feature in given.items():
        assert complete[level] is feature
    sum(feature.square().sum() for feature in complete.values()).backward()
    assert all(parameter.grad is not None for parameter in fill.parameters())


def test_a_whole_pyramid_costs_nothing() -> None:
    fill = FillLevels(dict.fromkeys(LEVELS, 8), in_channels=3)
    assert not list(fill.parameters())


def test_channels_halve_towards_the_image() -> None:
    fill = FillLevels({16: 192}, in_channels=3)
    assert [fill.channels[level] for level in LEVELS] == [STEM_CHANNELS, 48, 96, 192, 192]


@pytest.mark.parametrize("finest", [4, 8, 32])
def test_nothing_finer_than_asked_for_is_made_up(finest: int) -> None:
    fill = FillLevels({16: 192}, in_channels=3, finest=finest)
    complete = fill(torch.rand(2, 3, 64, 64), {16: torch.rand(2, 192, 4, 4)})
    assert set(complete) == {level for level in LEVELS if level >= min(finest, 16)}
