"""How images are divided between devices."""

from __future__ import annotations

import heapq

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.inference.map_ranges import even_ranges, number_of_ranges


@given(st.lists(st.integers(1, 10**9), min_size=1, max_size=60), st.data())
def test_ranges_are_in_order_and_hold_each_image_once(
    sizes: list[int], data: st.DataObject
) -> None:
    count = data.draw(st.integers(1, len(sizes)))
    ranges = even_ranges(sizes, count)
    assert len(ranges) == count
    assert [sizes[some] for some in ranges if not sizes[some]] == []
    assert [each for some in ranges for each in sizes[some]] == sizes


def test_ranges_are_even_in_pixels_not_in_images() -> None:
    sizes = [100] * 10 + [1] * 990
    totals = [sum(sizes[some]) for some in even_ranges(sizes, 5)]
    assert sum(totals) == 1990 and max(totals) - min(totals) <= 100


def test_no_images_are_no_ranges() -> None:
    assert even_ranges([], number_of_ranges(0, devices=4)) == []
    assert number_of_ranges(0, devices=1) == 0


def _idle(ranges: list[int], devices: int) -> float:
    """The share of device time that is lost when ranges queue for devices, longest first."""
    free = [0] * devices
    for work in sorted(ranges, reverse=True):
        heapq.heapreplace(free, free[0] + work)
    return 1 - sum(ranges) / (devices * max(free))


@pytest.mark.parametrize(("members", "devices"), [(5, 8), (3, 4), (5, 2), (7, 8), (1, 8)])
def test_members_leave_no_device_idle(members: int, devices: int) -> None:
    held_out = np.random.default_rng(members).integers(900, 1100, members).tolist()
    ranges = [
        some.stop - some.start
        for images in held_out
        for some in even_ranges([1] * images, number_of_ranges(images, devices, members))
    ]
    assert _idle(ranges, devices) < 1 / 8
    assert min(ranges) >= 64 / 2


def test_a_few_images_do_not_load_the_models_often() -> None:
    assert number_of_ranges(100, devices=8, share=1) == 8
    assert number_of_ranges(100, devices=8, share=5) == 2
    assert number_of_ranges(3, devices=8) == 3
    assert number_of_ranges(1000, devices=1) == 1
    assert number_of_ranges(1000, devices=8) == 15
