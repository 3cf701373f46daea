"""The index: places that do not overlap, ids of any kind, and 100,000 rows at once."""

from __future__ import annotations

import csv

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import ArtefactError, DataError
from pipeline.maps.index import MapIndex, MapShape

sizes = st.integers(1, 50)
# Any text, and what the file system gives for names that are not UTF-8.
ids = st.text(st.characters(exclude_categories=["Cs"]) | st.just("\udcff"), max_size=6)
shape_lists = st.lists(
    st.builds(MapShape, ids, sizes, sizes), min_size=1, max_size=8, unique_by=lambda shape: shape.id
)


@given(shape_lists, st.integers(1, 4))
def test_csv_round_trip(shapes: list[MapShape], classes: int) -> None:
    index = MapIndex.of(shapes, classes)
    back = MapIndex.from_csv(index.to_csv())
    assert back.ids == [shape.id for shape in shapes]
    assert back.classes == classes
    assert back.to_csv() == index.to_csv()
    for column in ("offsets", "heights", "widths", "sizes"):
        assert np.array_equal(getattr(back, column), getattr(index, column))


@given(shape_lists, st.integers(1, 4))
def test_maps_lie_one_after_another(shapes: list[MapShape], classes: int) -> None:
    index = MapIndex.of(shapes, classes)
    end = 0
    for shape in shapes:
        row = index.row(shape.id)
        assert index.offsets[row] == end
        assert index.shape(row) == (classes, shape.height, shape.width)
        end += classes * shape.height * shape.width
    assert index.total == end


def test_offsets_beyond_32_bits() -> None:
    index = MapIndex.of([MapShape(str(i), 1280, 1918) for i in range(100_064)], 1)
    assert MapIndex.from_csv(index.to_csv()).total == 100_064 * 1280 * 1918


@pytest.mark.parametrize(
    ("shapes", "classes", "words"),
    [
        ([], 1, "at least one"),
        ([MapShape("a", 1, 1)], 0, "at least one"),
        ([MapShape("a", 1, 1), MapShape("b", 1, 1), MapShape("b", 2, 1)], 1, "'b' is listed 2"),
        ([MapShape("a", 1, 1), MapShape("flat", 0, 4)], 1, "'flat' has no pixels"),
    ],
)
def test_bad_lists_are_refused(shapes: list[MapShape], classes: int, words: str) -> None:
    with pytest.raises(DataError, match=words):
        MapIndex.of(shapes, classes)


def test_unknown_id_is_named() -> None:
    with pytest.raises(ArtefactError, match=r"'zebra'.* 1 maps"):
        MapIndex.of([MapShape("a", 1, 1)], 1).row("zebra")


def test_columns_are_those_of_the_readme() -> None:
    rows = list(csv.reader(MapIndex.of([MapShape("a,b", 2, 3)], 4).to_csv().decode().splitlines()))
    assert rows == [["id", "offset", "height", "width", "classes"], ["a,b", "0", "2", "3", "4"]]
