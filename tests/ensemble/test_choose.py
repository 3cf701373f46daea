"""The parts of a choice put together: what is told of a blend is what its parts say of it."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.competition.metrics import get_metric
from pipeline.config import EnsembleConfig
from pipeline.ensemble.choose import SEED, Sampling, choose_blend
from pipeline.ensemble.gather import gather
from pipeline.ensemble.interval import score_interval
from pipeline.ensemble.nested import nested_score
from pipeline.ensemble.search import search_blend
from tests.ensemble.synthetic import source

DICE = get_metric("dice")
GROUPS = ["g0", "g0", "g1", "g1", "g2", "g2", "g3", "g3"]


def chosen(data, folds, tmp_path, test_groups=3):
    warnings: list[str] = []
    sampling = Sampling(folds, GROUPS, test_groups)
    facts, scores = choose_blend(
        data, EnsembleConfig(), ["car"], sampling, tmp_path, warnings.append
    )
    return facts, scores, warnings


def test_the_interval_is_that_of_the_nested_measures_by_group_for_the_tests_groups(tmp_path):
    data, folds = source(images=8, members=2, noise=3.0), np.array([0, 0, 1, 1, 0, 0, 1, 1])
    facts, scores, warnings = chosen(data, folds, tmp_path)
    oof = gather(data, DICE, tmp_path)
    nested, blend = nested_score(oof, DICE, folds), search_blend(oof, DICE)
    interval = score_interval(nested.measures, GROUPS, DICE, 3, SEED)
    score = facts["score"]
    assert score["interval"] == [interval.low, interval.high]
    assert (score["interval_groups"], score["interval_level"]) == (3, 0.95)
    assert (score["tuned"], score["nested"]) == (blend.score, nested.score)
    assert score["gap"] == pytest.approx(blend.score - nested.score)
    assert facts["weights"] == pytest.approx(blend.weights)
    assert tuple(facts["thresholds"].values()) == blend.thresholds
    assert scores["id"].tolist() == list(data.ids) and scores["fold"].tolist() == folds.tolist()
    assert scores["score"].mean() == pytest.approx(blend.score)
    assert not warnings


def test_of_one_fold_there_is_an_interval_around_the_tuned_score_and_a_warning(tmp_path):
    data, folds = source(images=8, members=2, noise=3.0), np.zeros(8, np.int64)
    facts, _, warnings = chosen(data, folds, tmp_path)
    score = facts["score"]
    assert score["nested"] is None and score["gap"] is None and score["nested_folds"] is None
    low, high = score["interval"]
    assert low < score["tuned"] < high
    assert len(warnings) == 1 and "no nested score" in warnings[0]
