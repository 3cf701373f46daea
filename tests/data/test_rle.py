"""Run-length text: round trips, pycocotools as a reference, and every mistake named."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pycocotools import mask as coco

from pipeline.config.choices import RleOrder
from pipeline.data.rle import decode, encode, from_text, mask_of, runs_of, to_text
from pipeline.errors import DataError

ORDERS: tuple[RleOrder, ...] = ("row", "column")


@st.composite
def masks(draw: st.DrawFn) -> NDArray[np.bool_]:
    """Small masks of all shapes and coverages, empty and full ones among them."""
    size = draw(st.tuples(st.integers(1, 40), st.integers(1, 40)))
    coverage = draw(st.sampled_from([0.0, 0.03, 0.5, 0.97, 1.0]))
    return np.random.default_rng(draw(st.integers(0, 10**6))).random(size) < coverage


def slow_encode(mask: NDArray[np.bool_], order: RleOrder, relative: bool) -> str:
    """The definition, one pixel after the other."""
    pixels = [*mask.reshape(-1, order="F" if order == "column" else "C").tolist(), False]
    numbers, begin, previous_end = [], None, 0
    for place, inside in enumerate(pixels):
        if inside and begin is None:
            begin = place
        elif not inside and begin is not None:
            numbers += [begin - previous_end if relative else begin + 1, place - begin]
            begin, previous_end = None, place
    return " ".join(map(str, numbers))


@settings(deadline=None)
@given(masks(), st.sampled_from(ORDERS), st.booleans())
def test_text_is_the_slow_one_and_comes_back(
    mask: NDArray[np.bool_], order: RleOrder, relative: bool
) -> None:
    text = encode(mask, order, relative=relative)
    assert text == slow_encode(mask, order, relative)
    back = decode(text, mask.shape, order, relative=relative)
    assert back.dtype == np.bool_
    assert np.array_equal(back, mask)


@pytest.mark.filterwarnings("ignore:__array__:DeprecationWarning:pycocotools")
@settings(deadline=None)
@given(masks(), st.sampled_from(ORDERS))
def test_pycocotools_reads_the_same_mask(mask: NDArray[np.bool_], order: RleOrder) -> None:
    scan = mask if order == "column" else mask.T
    counts = [int(number) for number in encode(mask, order, relative=True).split()]
    if rest := mask.size - sum(counts):
        counts.append(rest)
    rle = coco.frPyObjects({"counts": counts, "size": scan.shape}, *scan.shape)
    assert np.array_equal(coco.decode(rle), scan)
    assert coco.encode(np.asfortranarray(scan, np.uint8))["counts"] == rle["counts"]


@settings(deadline=None)
@given(masks(), st.sampled_from(ORDERS))
def test_runs_alone_make_the_text_and_the_mask(mask: NDArray[np.bool_], order: RleOrder) -> None:
    runs = runs_of(mask, order)
    assert runs.dtype == np.int64
    assert runs.shape == (len(runs), 2)
    assert runs[:, 1].sum() == mask.sum()
    assert np.array_equal(from_text(to_text(runs)), runs)
    assert np.array_equal(mask_of(runs, mask.shape, order), mask)


@pytest.mark.parametrize("value", [1, 255])
@pytest.mark.parametrize("order", ORDERS)
def test_uint8_masks_count_whatever_is_not_zero(value: int, order: RleOrder) -> None:
    mask = np.random.default_rng(3).random((7, 12)) < 0.4
    assert encode(mask.astype(np.uint8) * np.uint8(value), order) == encode(mask, order)


@pytest.mark.parametrize("order", ORDERS)
def test_views_of_larger_arrays_encode_like_copies(order: RleOrder) -> None:
    mask = np.random.default_rng(4).random((30, 40)) < 0.5
    view = mask[3:20:2, ::-3]
    assert encode(view, order) == encode(view.copy(), order)
    view.flags.writeable = False
    assert encode(view.T, order) == encode(view.T.copy(), order)


def test_the_two_orders_by_hand() -> None:
    mask = np.array([[0, 1, 1], [0, 1, 0]], bool)
    assert encode(mask, "row") == "2 2 5 1"
    assert encode(mask, "column") == "3 3"
    assert encode(mask, "row", relative=True) == "1 2 1 1"
    assert encode(mask, "column", relative=True) == "2 3"


@pytest.mark.parametrize("order", ORDERS)
def test_first_and_last_pixel_count(order: RleOrder) -> None:
    mask = np.zeros((3, 5), bool)
    mask[0, 0] = mask[-1, -1] = True
    assert encode(mask, order) == "1 1 15 1"
    assert encode(mask, order, relative=True) == "0 1 13 1"
    assert np.array_equal(decode("1 1 15 1", (3, 5), order), mask)
    assert np.array_equal(decode("0 1 13 1", (3, 5), order, relative=True), mask)


@pytest.mark.parametrize("order", ORDERS)
def test_full_and_empty(order: RleOrder) -> None:
    assert encode(np.ones((4, 6), bool), order) == "1 24"
    assert decode("1 24", (4, 6), order).all()
    assert encode(np.zeros((4, 6), bool), order) == ""
    for blank in ("", " ", "\t \n"):
        assert not decode(blank, (4, 6), order).any()
        assert decode(blank, (4, 6), order).shape == (4, 6)


def test_touching_runs_and_loose_blanks_are_read() -> None:
    assert np.array_equal(from_text("  1 2\t3 4\n"), [[0, 2], [2, 4]])
    assert np.array_equal(from_text("0 2 0 4", relative=True), [[0, 2], [2, 4]])


WRONG = {
    "1 2 3": r"run 2: start 3 has no length .*odd count of numbers, 3",
    "7": r"run 1: start 7 has no length",
    "1 2 x 4": r"run 2: 'x' is not a start",
    "1 2 4 2.0": r"run 2: '2.0' is not a length",
    "-1": r"run 1: '-1' is not a start",
    "-": r"run 1: '-' is not a start",
    "nan": r"run 1: 'nan' is not a start",
    "1,2": r"run 1: '1,2' is not a start",
    "1 ２": r"run 1: '２' is not a length",
    "1 2 5 0": r"run 2 \(start 5, length 0\): a length must be 1 or more",
    "1 99999999999999999999999999": r"run 1: '999+' is not a length",
}
WRONG_ABSOLUTE = {
    "0 3": r"run 1 \(start 0, length 3\): a start must be 1 or more",
    "1 3 3 1": r"run 2 \(start 3, length 1\): starts before the previous run ends",
    "1 1 9 2 5 1": r"run 3 \(start 5, length 1\): starts before the previous run ends",
    "1 1 24 2": r"run 2 \(start 24, length 2\): ends past the last of the image's 24 pixels",
    "25 1": r"run 1 \(start 25, length 1\): ends past the last",
    "1 999999999999": r"run 1 .*: ends past the last",
}


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize(("text", "message"), [*WRONG.items(), *WRONG_ABSOLUTE.items()])
def test_wrong_text_is_refused_by_run(text: str, message: str, order: RleOrder) -> None:
    with pytest.raises(DataError, match=message):
        decode(text, (4, 6), order)


@pytest.mark.parametrize(("text", "message"), [*WRONG.items(), ("3 2 19 1", "run 2 .*ends past")])
def test_wrong_relative_text_is_refused_by_run(text: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        decode(text, (4, 6), "column", relative=True)
