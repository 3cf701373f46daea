"""The interval around the score."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.ensemble.search.interval import score_interval
from pipeline.metrics import get_metric

DICE = get_metric("dice")


def measures_of(scores):
    """Counts of one class whose Dice is about each score."""
    hit = np.rint(np.asarray(scores) * 1000).astype(np.int64)
    return np.stack([hit, 1000 - hit, 1000 - hit, hit * 0], axis=-1)[:, None]


def even(rng, count):
    return rng.beta(8, 2, count)


def long_tailed(rng, count):
    """A few groups do much worse than the others, as hard cars do."""
    return 1 - np.minimum(0.05 * np.exp(rng.normal(size=count)), 1)


@pytest.mark.parametrize("metric", ["dice", pytest.param("global_dice", marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    ("world", "least"),
    [pytest.param(even, 0.85, marks=pytest.mark.slow), (long_tailed, 0.83)],
)
def test_the_interval_holds_the_test_score_as_often_as_it_says(monkeypatch, metric, world, least):
    """A percentile interval, which takes the spread for known, holds 0.77 of the long-tailed."""
    monkeypatch.setattr("pipeline.ensemble.search.interval.DRAWS", 300)
    metric, rng, trials, held = get_metric(metric), np.random.default_rng(0), 150, 0
    names = [f"g{i}" for i in range(12)]
    for trial in range(trials):
        scores = world(rng, 24)
        interval = score_interval(measures_of(scores[:12]), names, metric, 12, trial, level=0.9)
        held += interval.low <= metric.aggregate(measures_of(scores[12:])) <= interval.high
    assert least < held / trials < 0.96


def test_images_of_a_group_are_drawn_together():
    """Ten copies of each image in one group tell no more than the image: equal intervals."""
    scores = np.random.default_rng(0).beta(8, 2, 30)
    once = score_interval(measures_of(scores), [str(i) for i in range(30)], DICE, 20, seed=1)
    ten = score_interval(
        measures_of(np.repeat(scores, 10)), [str(i // 10) for i in range(300)], DICE, 20, seed=1
    )
    assert once.low == pytest.approx(ten.low) and once.high == pytest.approx(ten.high)


def test_more_test_groups_make_a_narrower_interval_and_the_seed_fixes_it():
    scores = np.random.default_rng(0).beta(8, 2, 40)
    groups = [str(i % 20) for i in range(40)]
    few, again, many = (
        score_interval(measures_of(scores), groups, DICE, count, seed=3) for count in (5, 5, 500)
    )
    assert few == again
    assert many.high - many.low < few.high - few.low
    assert many.low < DICE.aggregate(measures_of(scores)) < many.high


def test_the_side_of_the_hard_groups_is_the_longer_one():
    scores = long_tailed(np.random.default_rng(0), 40)
    interval = score_interval(measures_of(scores), [str(i) for i in range(40)], DICE, 16, seed=0)
    middle = DICE.aggregate(measures_of(scores))
    assert middle - interval.low > 1.3 * (interval.high - middle) > 0


def test_groups_beyond_counting_are_measured_in_one_unit(monkeypatch):
    """Of many groups the spread is known: estimating it anew per draw changes next to nothing."""
    scores = measures_of(even(np.random.default_rng(0), 400))
    groups = [str(i) for i in range(400)]
    each = score_interval(scores, groups, DICE, 30, seed=0)
    monkeypatch.setattr("pipeline.ensemble.search.interval._MANY", 399)
    one = score_interval(scores, groups, DICE, 30, seed=0)
    width = each.high - each.low
    assert each != one
    assert abs(each.low - one.low) < 0.03 * width and abs(each.high - one.high) < 0.03 * width


@pytest.mark.parametrize("scores", [[0.5, 0.9], [0.2, 0.9, 1.0], [1.0] * 9 + [0.0]])
def test_a_few_groups_give_a_wide_interval_within_the_metrics_range(scores):
    groups = [str(i) for i in range(len(scores))]
    interval = score_interval(measures_of(scores), groups, DICE, 2, seed=0)
    middle = DICE.aggregate(measures_of(scores))
    assert 0 <= interval.low < middle < interval.high <= 1


@pytest.mark.parametrize(
    ("scores", "groups"), [([0.5, 0.9], "aa"), ([0.7, 0.7, 0.7], "abc"), ([1.0, 1.0], "ab")]
)
def test_one_group_or_groups_all_alike_give_no_width(scores, groups):
    interval = score_interval(measures_of(scores), list(groups), DICE, 3, seed=0)
    assert interval.low == interval.high == DICE.aggregate(measures_of(scores))
