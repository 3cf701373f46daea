"""The nested score and the interval around it."""

from __future__ import annotations

import numpy as np

from pipeline.competition.metrics import get_metric
from pipeline.ensemble.disputed import find_disputed
from pipeline.ensemble.exclusive import find_disputed_classes
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
