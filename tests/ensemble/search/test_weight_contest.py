"""Which weights win: equal ones, searched ones, points between the two, or a model alone."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from pipeline.ensemble.search import weight_contest
from pipeline.ensemble.search.evidence import Evidence
from pipeline.ensemble.search.nested import Procedure
from pipeline.ensemble.search.oof_pixels import gather
from pipeline.metrics import get_metric
from tests.helpers.synthetic_members import source

RULES = ["equal", "quarter", "halfway", "three_quarters", "searched", "single"]


def procedure(data, tmp_path, folds=3, metric="dice", thresholds="search"):
    count, measure = len(data.ids), get_metric(metric)
    numbers = np.arange(count)
    evidence = Evidence(gather(data, measure, tmp_path, thresholds), numbers % folds, numbers)
    return Procedure(evidence, measure, thresholds)


def outcome_of(data, tmp_path, *args, **keys):
    return procedure(data, tmp_path, *args, **keys).run("nested")


def winners(seeds, tmp_path):
    """Of models that are drawn alike."""
    drawn = (source(seed, images=12, noise=3.0, growth=0.0, size=(20, 20)) for seed in range(seeds))
    return Counter(outcome_of(data, tmp_path).whole.weight_rule for data in drawn)


def test_of_like_models_equal_weights_win(tmp_path):
    assert winners(10, tmp_path)["equal"] >= 6


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_of_like_models_equal_weights_win_in_most_of_200_draws(tmp_path):
    assert winners(200, tmp_path)["equal"] > 130


def worthless(data):
    """The same members, all but the first replaced by the opposite of what it says."""
    return replace(data, maps=lambda id: [data.maps(id)[0], *[255 - m for m in data.maps(id)[1:]]])


@pytest.mark.parametrize("folds", [2, 4])
def test_models_that_are_worth_nothing_get_no_say(folds, tmp_path):
    """Equal weights would be far below; the nested score knows it for every number of folds."""
    data = worthless(source(1, images=12, noise=1.0))
    outcome = outcome_of(data, tmp_path, folds=folds)
    assert outcome.whole.weight_rule not in ("equal", "quarter")
    assert outcome.whole.blend.weights["model0"] > 0.6
    assert outcome.nested.score > outcome.whole.weight_scores["equal"] + 0.1


def as_one_object(truth):
    return replace(truth, instances=truth.planes.astype(np.int32))


@pytest.mark.parametrize(("metric", "keys"), [
    ("mean_iou", {"classes": 3, "multiclass": True}), ("dice", {"classes": 2}),
    ("dsb", {}),
])  # fmt: skip
def test_each_rule_is_measured_whatever_the_metric(metric, keys, tmp_path):
    data = source(2, images=6, members=2, size=(16, 16), noise=2.0, **keys)
    if metric == "dsb":
        truths = data.truth
        data = replace(data, truth=lambda id: as_one_object(truths(id)))
    outcome = outcome_of(data, tmp_path, folds=3, metric=metric)
    assert list(outcome.whole.contest) == list(outcome.whole.weight_scores) == RULES
    assert outcome.whole.weight_rule in RULES and 0 <= outcome.nested.score <= 1


def test_the_points_lie_between_equal_and_searched_weights(tmp_path):
    contest = outcome_of(source(3, images=9, noise=2.0), tmp_path).whole.contest
    for rule in contest["equal"]:
        equal, searched = (
            contest[each][rule].shares.astype(float) for each in ("equal", "searched")
        )
        assert np.ptp(equal) <= 1
        for name, share in weight_contest.TOWARDS_SEARCHED.items():
            wanted = equal + share * (searched - equal)
            assert np.abs(contest[name][rule].shares - wanted).max() <= 2, (name, rule)
        assert np.count_nonzero(contest["single"][rule].shares) == 1


def test_given_thresholds_stay(tmp_path):
    outcome = outcome_of(source(4, images=9, noise=2.0), tmp_path, thresholds=(0.4,))
    assert list(outcome.whole.contest) == RULES and outcome.whole.rule == "given"
    assert outcome.whole.blend.thresholds[0] == pytest.approx(0.4, abs=0.01)


def test_a_single_model_has_no_competitors(tmp_path):
    outcome = outcome_of(source(5, images=6, members=1), tmp_path)
    assert list(outcome.whole.contest) == ["equal"] and set(outcome.whole.blend.weights) == {
        "model0"
    }


def test_one_fold_is_judged_by_its_groups(tmp_path):
    outcome = outcome_of(source(6, images=8, noise=3.0), tmp_path, folds=1)
    assert outcome.nested is None and list(outcome.whole.weight_scores) == RULES


def test_what_two_folds_left_out_leave_is_searched_once(tmp_path, monkeypatch):
    """Four folds: all, four without one, six without two."""
    searches = []
    candidates = weight_contest.candidates

    def counted(evidence, metric, weights, thresholds):
        if weights("searched") == "search":
            searches.append(tuple(np.unique(evidence.folds)))
        return candidates(evidence, metric, weights, thresholds)

    monkeypatch.setattr(weight_contest, "candidates", counted)
    outcome_of(source(7, images=8, members=2), tmp_path, folds=4)
    assert len(searches) == len(set(searches)) == 1 + 4 + 6


def test_maps_are_read_once_for_all_candidates(tmp_path):
    data, read = source(8, images=8, members=2), []

    def maps(id):
        read.append(id)
        return data.maps(id)

    outcome_of(replace(data, maps=maps), tmp_path, folds=4)
    once = list(read)
    read.clear()
    gather(replace(data, maps=maps), get_metric("dice"), tmp_path)
    assert once == read
