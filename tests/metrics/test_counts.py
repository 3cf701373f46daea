"""Counts against a loop over pixels; the two divisions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings

from pipeline.data.ground_truth import Truth
from pipeline.metrics.counts import counts, exceeds, ratio
from tests.helpers.metric_pictures import Case, batches, slow_counts


@settings(deadline=None, max_examples=40)
@given(batches())
def test_counts_are_those_of_a_loop_over_pixels(batch: list[Case]) -> None:
    for decision, truth in batch:
        table = counts(decision, truth)
        assert table.dtype == np.int64
        assert table.tolist() == slow_counts(decision, truth)


def test_void_pixels_are_in_none_of_the_four() -> None:
    valid = np.zeros((3, 4), bool)
    valid[1] = True
    truth = Truth(np.ones((2, 3, 4), np.uint8), valid)
    assert counts(np.ones((2, 3, 4), bool), truth).tolist() == [[4, 0, 0, 0]] * 2
    assert counts(np.zeros((2, 3, 4), bool), truth).tolist() == [[0, 0, 4, 0]] * 2


def test_labels_count_as_inside_and_their_numbers_do_not_matter() -> None:
    truth = Truth(np.array([[[1, 1, 0, 0]]], np.uint8))
    assert counts(np.array([[[2, 0, 256, 0]]], np.int32), truth).tolist() == [[1, 1, 1, 1]]


def test_a_decision_of_another_shape_is_refused() -> None:
    with pytest.raises(AssertionError, match=r"\(1, 2, 3\) against \(1, 3, 2\)"):
        counts(np.zeros((1, 2, 3), bool), Truth(np.zeros((1, 3, 2), np.uint8)))


def test_ratio_of_nothing_to_nothing_is_one_without_a_warning() -> None:
    assert ratio(np.array([0, 0, 3]), np.array([0, 4, 4])).tolist() == [1.0, 0.0, 0.75]
    assert ratio(np.array([0.0, 0.0]), np.array([0.0, 0.25])).tolist() == [1.0, 0.0]


@pytest.mark.parametrize("step", range(10))
def test_an_overlap_equal_to_the_threshold_does_not_exceed_it(step: int) -> None:
    whole, part = np.array(20), np.array(10 + step)
    assert exceeds(part, whole).sum() == step
    assert exceeds(part * 7 + 1, whole * 7).sum() == step + 1
