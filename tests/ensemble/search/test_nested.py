"""The nested score: nothing of a fold reaches what is chosen for it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pipeline.ensemble.blending.kernel import blend, decide
from pipeline.ensemble.postprocessing.registry import apply_steps, get_step
from pipeline.ensemble.postprocessing.search import Decisions
from pipeline.ensemble.search.disputed_classes import find_disputed_classes
from pipeline.ensemble.search.disputed_pixels import find_disputed
from pipeline.ensemble.search.evidence import Evidence, dealt
from pipeline.ensemble.search.nested import Procedure, nested_refusal
from pipeline.ensemble.search.oof_pixels import gather
from pipeline.ensemble.search.weights import search_blend
from pipeline.metrics import get_metric
from tests.helpers.synthetic_members import source

DICE = get_metric("dice")
STEPS = [get_step({"name": "minimum_area", "values": [0.01, 0.05]}), get_step("fill_holes")]


def procedure(data, folds, tmp_path, steps=(), metric=DICE, thresholds="search", groups=None):
    oof = gather(data, metric, tmp_path, thresholds)
    groups = np.arange(len(folds)) if groups is None else np.asarray(groups)
    decisions = Decisions(data, metric, list(steps)) if steps else None
    return Procedure(Evidence(oof, folds, groups), metric, thresholds, decisions)


def searched(data, folds, tmp_path, *args, weights=lambda fold, rule: "search", **keys):
    return procedure(data, folds, tmp_path, *args, **keys).run(weights)


WEIGHTS = pytest.mark.parametrize("weights", [lambda fold, rule: "search", "nested"])


def test_each_folds_choice_is_scored_by_the_kernel(tmp_path):
    data, folds = source(images=9, noise=3.0, size=(40, 40)), np.array([2, 0, 1] * 3)
    outcome = searched(data, folds, tmp_path, STEPS)
    for row, id in enumerate(data.ids):
        chosen, maps = outcome.by_fold[int(folds[row])], data.maps(id)
        weights = [chosen.blend.weights[name] for name in data.names]
        decided = decide(maps, weights, chosen.blend.thresholds)
        decided = apply_steps(decided, blend(maps, weights), chosen.steps)
        assert (outcome.nested.statistics[row] == DICE.measure(decided, data.truth(id))).all()
    assert outcome.nested.score == DICE.aggregate(outcome.nested.statistics)
    for fold, score in outcome.nested.fold_scores.items():
        assert score == DICE.aggregate(outcome.nested.statistics[folds == fold])


@WEIGHTS
@pytest.mark.parametrize("count", [2, 3])
def test_a_fold_gets_exactly_what_is_chosen_when_it_is_not_there(count, weights, tmp_path):
    """Weights and thresholds of every rule: as in a run without the fold."""
    for seed in range(3):
        data = source(seed, images=12, noise=4.0, members=2, size=(40, 40))
        folds, groups = np.arange(12) % count, np.arange(12) // 2
        outcome = searched(data, folds, tmp_path, STEPS, groups=groups, weights=weights)
        rest = folds != 1
        ids = tuple(id for id, kept in zip(data.ids, rest, strict=True) if kept)
        alone = searched(
            replace(data, ids=ids),
            folds[rest],
            tmp_path,
            STEPS,
            groups=groups[rest],
            weights=weights,
        ).whole
        held = outcome.by_fold[1]
        assert held.contest.keys() == alone.contest.keys()
        for weight_rule, choices in held.contest.items():
            assert choices.keys() == alone.contest[weight_rule].keys()
            for rule, choice in choices.items():
                assert (choice.shares == alone.contest[weight_rule][rule].shares).all()
                assert (choice.levels == alone.contest[weight_rule][rule].levels).all()
        if weights == "nested" and count == 3:
            assert held.weight_rule == alone.weight_rule
            assert held.weight_scores == alone.weight_scores


@WEIGHTS
def test_nothing_of_the_held_out_fold_reaches_its_own_choice(weights, tmp_path):
    """Replace a fold's maps and truths: its choice stays, the others' may not."""
    folds = np.array([0, 0, 0, 1, 1, 1, 2, 2, 2])
    first, other = (source(seed, images=9, noise=5.0, size=(40, 40)) for seed in (0, 1))

    def mixed(reader, replacement):
        return lambda id: (replacement if id in first.ids[:3] else reader)(id)

    changed = replace(
        first, maps=mixed(first.maps, other.maps), truth=mixed(first.truth, other.truth)
    )
    before, after = (
        searched(data, folds, tmp_path, STEPS, weights=weights) for data in (first, changed)
    )

    def told(outcome, fold):
        chosen = outcome.by_fold[fold]
        return (
            chosen.weight_rule,
            chosen.weight_scores,
            chosen.blend,
            chosen.steps,
            chosen.rule,
            chosen.rule_scores,
            chosen.step_trials,
        )

    assert told(before, 0) == told(after, 0)
    assert told(before, 1) != told(after, 1) and told(before, 2) != told(after, 2)


def test_with_nothing_to_choose_nested_equals_tuned(tmp_path):
    data, folds = source(images=6), np.arange(6) % 3
    outcome = procedure(data, folds, tmp_path, thresholds=(0.5,)).run(lambda fold, rule: "equal")
    tuned = search_blend(find_disputed(data, tmp_path), DICE, "equal", [0.5])
    assert outcome.nested.score == outcome.score == tuned.score
    assert outcome.whole.rule == "given"


def test_nested_is_not_above_tuned_on_average(tmp_path):
    gaps = []
    for seed in range(8):
        data = source(seed, images=6, noise=8.0, size=(12, 12))
        outcome = searched(data, np.arange(6) % 3, tmp_path)
        gaps.append(outcome.score - outcome.nested.score)
    assert np.mean(gaps) > 0.002


def test_multiclass_classes_are_nested_too(tmp_path):
    data, metric = source(multiclass=True, classes=3), get_metric("mean_iou")
    folds = np.arange(6) % 2
    oof = find_disputed_classes(data, tmp_path)
    outcome = Procedure(Evidence(oof, folds, np.arange(6)), metric).run(lambda fold, rule: "search")
    assert 0 < outcome.nested.score <= 1 and set(outcome.by_fold) == {0, 1}


def test_what_was_decided_once_is_not_decided_again(tmp_path):
    """Equal weights at given thresholds: all folds' blends are one, so each map is read once."""
    data, folds, read = source(images=8, size=(40, 40)), np.arange(8) % 4, []

    def maps(id):
        read.append(id)
        return data.maps(id)

    counted = replace(data, maps=maps)
    chooser = procedure(counted, folds, tmp_path, STEPS[:1], thresholds=(0.5,))
    read.clear()
    chooser.run(lambda fold, rule: "equal")
    assert sorted(read) == sorted(data.ids)


def test_with_two_folds_the_other_folds_network_cannot_choose_thresholds_for_this_one(tmp_path):
    """Each fold's network has a best threshold of its own, far from a half: nested is at a half."""
    data, folds = source(images=12, members=1, size=(30, 30)), np.arange(12) % 2
    powers = {id: (0.3, 3.0)[fold] for id, fold in zip(data.ids, folds, strict=True)}

    def maps(id):
        return [np.rint((m / 255.0) ** powers[id] * 255).astype(np.uint8) for m in data.maps(id)]

    apart = replace(data, maps=maps)
    outcome = searched(apart, folds, tmp_path)
    half = search_blend(find_disputed(apart, tmp_path), DICE, "search", [0.5]).score
    assert outcome.whole.rule == "half" and outcome.whole.rule_scores["searched"] < half
    assert outcome.score == outcome.nested.score == half


def test_a_single_fold_is_judged_by_its_groups_and_has_no_nested_score(tmp_path):
    data = source(images=8, noise=3.0)
    outcome = searched(data, np.zeros(8, np.int64), tmp_path, groups=np.arange(8) // 2)
    assert outcome.nested is None and not outcome.by_fold
    assert list(outcome.whole.rule_scores) == ["half", "plateau", "searched"]
    assert "one fold" in nested_refusal(np.zeros(5, int))
    assert nested_refusal(np.array([0, 1])) is None


def test_a_single_group_can_judge_nothing_and_gets_the_simplest_choice(tmp_path):
    data = source(images=4, noise=8.0, size=(40, 40))
    whole = searched(data, np.zeros(4, np.int64), tmp_path, STEPS, groups=np.zeros(4, int)).whole
    assert (whole.rule, whole.steps, whole.blend.thresholds) == ("half", (), (0.5,))


def test_groups_are_dealt_whole_into_parts_of_like_size():
    groups = np.array([7] * 9 + [1] * 3 + [2] * 3 + [3] * 3 + [5] * 2)
    parts = dealt(groups, 3)
    assert {len(set(parts[groups == group])) for group in groups} == {1}
    assert sorted(np.bincount(parts)) == [5, 6, 9]
    assert set(dealt(np.array([4, 4, 9]))) == {0, 1}
