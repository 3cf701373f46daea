"""The nested score and the interval around it."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.competition.metrics import get_metric
from pipeline.ensemble.disputed import find_disputed
from pipeline.ensemble.exclusive import find_disputed_classes
from pipeline.ensemble.interval import score_interval
from pipeline.ensemble.kernel import decide
from pipeline.ensemble.nested import nested_refusal, nested_score
from pipeline.ensemble.search import search_blend
from tests.ensemble.synthetic import source

DICE = get_metric("dice")


def test_each_folds_blend_is_chosen_without_it_and_scored_by_the_kernel(tmp_path):
    data = source(images=9, noise=3.0)
    oof = find_disputed(data, tmp_path)
    folds = np.array([2, 0, 1] * 3)
    nested = nested_score(oof, DICE, folds)
    for fold in range(3):
        others = oof.select(np.flatnonzero(folds != fold))
        assert nested.blends[fold] == search_blend(others, DICE)
    for row, id in enumerate(data.ids):
        blend = nested.blends[int(folds[row])]
        decided = decide(data.maps(id), list(blend.weights.values()), blend.thresholds)
        assert (nested.measures[row] == DICE.measure(decided, data.truth(id))).all()
    assert nested.score == DICE.aggregate(nested.measures)
    for fold, score in nested.fold_scores.items():
        assert score == DICE.aggregate(nested.measures[folds == fold])


def test_nothing_of_the_held_out_fold_reaches_its_own_choice(tmp_path):
    """Replace a fold's maps and truths: its blend stays, the others' may not."""
    folds = np.array([0, 0, 0, 1, 1, 1])
    first, other = source(0, noise=5.0), source(1, noise=5.0)

    def mixed(reader, replacement):
        return lambda id: (reader if id in first.ids[:3] else replacement)(id)

    changed = type(first)(
        first.names, first.ids, mixed(first.maps, other.maps), mixed(first.truth, other.truth)
    )
    before = nested_score(find_disputed(first, tmp_path), DICE, folds)
    after = nested_score(find_disputed(changed, tmp_path), DICE, folds)
    assert before.blends[1] == after.blends[1]
    assert before.blends[0] != after.blends[0]


def test_with_nothing_to_choose_nested_equals_tuned(tmp_path):
    oof = find_disputed(source(images=6), tmp_path)
    folds = np.arange(6) % 3
    tuned = search_blend(oof, DICE, "equal", [0.5])
    assert nested_score(oof, DICE, folds, "equal", [0.5]).score == tuned.score


def test_nested_is_not_above_tuned_on_average(tmp_path):
    gaps = []
    for seed in range(8):
        oof = find_disputed(source(seed, images=6, noise=8.0, size=(12, 12)), tmp_path)
        nested = nested_score(oof, DICE, np.arange(6) % 3)
        gaps.append(search_blend(oof, DICE).score - nested.score)
    assert np.mean(gaps) > 0.002


def test_exclusive_classes_are_nested_too(tmp_path):
    oof = find_disputed_classes(source(exclusive=True, classes=3), tmp_path)
    metric = get_metric("mean_iou")
    nested = nested_score(oof, metric, np.arange(6) % 2)
    assert 0 < nested.score <= 1 and set(nested.blends) == {0, 1}


def test_a_single_fold_is_refused_with_the_reason():
    assert "one fold" in nested_refusal(np.zeros(5, int))
    assert nested_refusal(np.array([0, 1])) is None


def measures_of(scores):
    """Counts of one class whose Dice is about each score."""
    hit = np.rint(np.asarray(scores) * 1000).astype(np.int64)
    return np.stack([hit, 1000 - hit, 1000 - hit, hit * 0], axis=-1)[:, None]


def test_the_interval_holds_the_test_score_as_often_as_it_says(monkeypatch):
    monkeypatch.setattr("pipeline.ensemble.interval.DRAWS", 400)
    rng = np.random.default_rng(7)
    held = 0
    for trial in range(100):
        world = rng.beta(8, 2, 60 + 40)
        groups = [f"g{i}" for i in range(60)]
        interval = score_interval(measures_of(world[:60]), groups, DICE, 40, trial, level=0.9)
        held += interval.low <= DICE.aggregate(measures_of(world[60:])) <= interval.high
    assert 0.82 < held / 100 < 0.97


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


def test_a_single_group_gives_no_width():
    interval = score_interval(measures_of([0.5, 0.9]), ["a", "a"], DICE, 3, seed=0)
    assert interval.low == interval.high
