"""Places and neighbours of images in stacks, by their ids."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.data.stacks import Place, Stacks
from pipeline.errors import DataError

ORDER = r"^(case\d+)", r"slice_(\d+)"


def test_numbers_order_and_not_letters() -> None:
    stacks = Stacks.of(["case1_slice_9", "case1_slice_10", "case2_slice_0010"], ORDER)
    assert stacks.places["case2_slice_0010"] == Place("case2", 10)
    assert stacks.neighbour("case1_slice_9", 1, repeat=False) == "case1_slice_10"
    assert stacks.neighbour("case1_slice_10", 1, repeat=False) is None
    assert stacks.neighbour("case1_slice_10", 1, repeat=True) == "case1_slice_10"


@given(st.sets(st.integers(0, 12), min_size=1), st.integers(-5, 5))
def test_the_nearest_towards_the_image_is_repeated(positions: set[int], offset: int) -> None:
    stacks = Stacks.of([f"case0_slice_{each}" for each in positions], ORDER)
    for position in positions:
        wanted = position + offset
        path = range(wanted, position, 1 if offset < 0 else -1)
        expected = next((each for each in path if each in positions), position)
        found = stacks.neighbour(f"case0_slice_{position}", offset, repeat=True)
        assert found == f"case0_slice_{expected}"
        plain = stacks.neighbour(f"case0_slice_{position}", offset, repeat=False)
        assert plain == (f"case0_slice_{wanted}" if wanted in positions else None)


@pytest.mark.parametrize("name", ["case_slice_1", "case1", "case1_slice_x"])
def test_an_id_without_a_place_is_named(name: str) -> None:
    with pytest.raises(DataError, match=f"data.stack: .* in {name}"):
        Stacks.of(["case1_slice_1", name], ORDER)
