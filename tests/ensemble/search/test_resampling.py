"""Differences of scores, paired by group."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.ensemble.search.resampling import (
    group_numbers,
    paired_difference,
    paired_error,
    standard_error,
    without_each,
)
from pipeline.metrics import METRICS, get_metric

DICE = get_metric("dice")


def metric_of(name):
    return get_metric(name, **({"beta": 0.5} if name == "fbeta" else {}))


def drawn(name, rng, images):
    if name in ("dsb", "airbus"):
        return rng.integers(0, 4, (images, 2, 10, 3))
    if name == "pixel_accuracy":
        return np.sort(rng.integers(0, 50, (images, 1, 2)))
    return rng.integers(0, 50, (images, 2, 4))


@pytest.mark.parametrize("name", METRICS)
def test_the_score_without_each_group_is_that_of_the_other_images(name):
    metric, rng = metric_of(name), np.random.default_rng(0)
    groups = np.array([5, 0, 2, 5, 2, 2, 9])
    statistics = np.stack([drawn(name, rng, 7) for _ in range(3)])
    found = without_each(metric, statistics, groups)
    for row, group in enumerate([0, 2, 5, 9]):
        expected = metric.aggregate(statistics[:, groups != group])
        assert found[row] == pytest.approx(expected, abs=1e-12)


def test_the_error_of_a_mean_is_the_textbooks():
    scores = np.random.default_rng(0).beta(5, 2, 30)
    statistics = counts_of(scores)
    exact = DICE.per_image(statistics)
    found = standard_error(without_each(DICE, statistics, np.arange(30)))
    assert found == pytest.approx(exact.std(ddof=1) / np.sqrt(30))
    nothing = counts_of(np.zeros(30))
    assert paired_error(DICE, statistics, nothing, np.arange(30)) == pytest.approx(found)
    assert paired_error(DICE, statistics, statistics, np.arange(30)) == 0
    assert paired_error(DICE, statistics, nothing, np.zeros(30, int)) == 0


def counts_of(scores):
    hit = np.rint(np.clip(scores, 0, 1) * 10_000).astype(np.int64)
    return np.stack([hit, 10_000 - hit, 10_000 - hit, hit * 0], axis=-1)[:, None]


def test_the_interval_of_a_difference_holds_the_true_one_as_often_as_it_says():
    rng, held, trials = np.random.default_rng(0), 0, 150
    for trial in range(trials):
        hard = rng.beta(4, 2, 15)
        gain = 0.02 + rng.normal(0, 0.02, 15)
        first, second = counts_of(np.clip(hard * 0.9 + gain, 0, 1)), counts_of(hard * 0.9)
        found = paired_difference(DICE, first, second, np.arange(15), trial)
        assert found.low <= found.value <= found.high
        held += found.low <= 0.02 <= found.high
    assert 0.88 < held / trials < 0.99


def test_pairing_sees_what_the_spread_of_the_images_hides():
    hard = np.random.default_rng(0).uniform(0.1, 0.9, 20)
    gain = 0.02 + np.random.default_rng(1).normal(0, 0.005, 20)
    found = paired_difference(DICE, counts_of(hard + gain), counts_of(hard), np.arange(20), 0)
    assert 0 < found.low < found.value < found.high < 0.03


def test_copies_in_one_group_tell_no_more_than_the_image():
    rng = np.random.default_rng(0)
    hard, gain = rng.uniform(0.2, 0.8, 12), rng.normal(0.01, 0.03, 12)
    once = paired_difference(DICE, counts_of(hard + gain), counts_of(hard), np.arange(12), 1)
    many = paired_difference(
        DICE, counts_of(np.repeat(hard + gain, 5)), counts_of(np.repeat(hard, 5)),
        np.repeat(np.arange(12), 5), 1,
    )  # fmt: skip
    assert (once.low, once.high) == pytest.approx((many.low, many.high))


def test_equal_choices_or_one_group_have_no_width():
    statistics, other = counts_of([0.5, 0.7, 0.9]), counts_of([0.4, 0.7, 0.8])
    same = paired_difference(DICE, statistics, statistics, np.arange(3), 0)
    assert (same.value, same.low, same.high) == (0, 0, 0)
    single = paired_difference(DICE, statistics, other, np.zeros(3, int), 0)
    assert single.low == single.value == single.high > 0


def test_groups_are_numbered_by_name():
    assert group_numbers(["b", "a", "b", "c"]).tolist() == [1, 0, 1, 2]
