"""The parts of a choice put together: what is told of a blend is what its parts say of it."""

from __future__ import annotations

import numpy as np
import pytest
import yaml

from pipeline.config import EnsembleConfig
from pipeline.ensemble.choose import choose_blend
from pipeline.ensemble.search.evidence import Evidence
from pipeline.ensemble.search.interval import score_interval
from pipeline.ensemble.search.nested import Procedure
from pipeline.ensemble.search.oof_pixels import gather
from pipeline.ensemble.search.resampling import group_numbers
from pipeline.ensemble.summary import SEED, Sampling
from pipeline.metrics import get_metric
from tests.helpers.synthetic_members import source

DICE = get_metric("dice")
GROUPS = ["g0", "g0", "g1", "g1", "g2", "g2", "g3", "g3"]


def chosen(data, folds, tmp_path, test_groups=3):
    warnings: list[str] = []
    sampling = Sampling(folds, GROUPS, test_groups)
    facts, scores = choose_blend(
        data, "dice", EnsembleConfig(), ["car"], sampling, tmp_path, warnings.append
    )
    return facts, scores, warnings


def test_the_interval_is_that_of_the_nested_measures_by_group_for_the_tests_groups(tmp_path):
    data, folds = source(images=8, members=2, noise=3.0), np.array([0, 0, 1, 1, 0, 0, 1, 1])
    facts, scores, warnings = chosen(data, folds, tmp_path)
    evidence = Evidence(gather(data, DICE, tmp_path), folds, group_numbers(GROUPS))
    outcome = Procedure(evidence, DICE).run(lambda fold, rule: "search")
    interval = score_interval(outcome.nested.statistics, GROUPS, DICE, 3, SEED)
    score = facts["score"]
    assert score["interval"] == [interval.low, interval.high]
    assert (score["interval_groups"], score["interval_level"]) == (3, 0.95)
    assert (score["tuned"], score["nested"]) == (outcome.score, outcome.nested.score)
    assert score["gap"] == pytest.approx(outcome.score - outcome.nested.score)
    assert facts["weights"] == pytest.approx(outcome.whole.blend.weights)
    assert tuple(facts["thresholds"].values()) == outcome.whole.blend.thresholds
    assert scores["id"].tolist() == list(data.ids) and scores["fold"].tolist() == folds.tolist()
    assert scores["score"].mean() == pytest.approx(outcome.score)
    assert not warnings


def test_the_facts_name_what_was_chosen_what_it_competed_with_and_the_best_model(tmp_path):
    data, folds = source(images=8, members=2, noise=3.0), np.array([0, 0, 1, 1, 0, 0, 1, 1])
    settings = EnsembleConfig(postprocess=("minimum_area",))
    sampling = Sampling(folds, GROUPS, 3)
    facts, _ = choose_blend(data, "dice", settings, ["car"], sampling, tmp_path, lambda text: None)
    rules = facts["threshold_rules"]
    assert list(rules) == ["half", "plateau", "searched"]
    assert rules[facts["threshold_rule"]]["thresholds"] == facts["thresholds"]
    assert [each["name"] for each in facts["postprocess_tried"]] == ["minimum_area"]
    best = facts["best_single"]
    nested = {name: model["nested"] for name, model in facts["models"].items()}
    assert nested[best["model"]] == max(nested.values())
    above = facts["score"]["nested"] - max(nested.values())
    assert best["blend_above"]["value"] == pytest.approx(above)
    for model in facts["models"].values():
        worth = facts["score"]["nested"] - model["without"]["nested"]
        assert model["worth"]["value"] == pytest.approx(worth)
        low, high = model["worth"]["interval"]
        assert low <= model["worth"]["value"] <= high
    assert yaml.safe_load(yaml.safe_dump(facts)) == facts, "plain numbers and names only"


def test_of_one_fold_there_is_an_interval_around_the_tuned_score_and_a_warning(tmp_path):
    data, folds = source(images=8, members=2, noise=3.0), np.zeros(8, np.int64)
    facts, _, warnings = chosen(data, folds, tmp_path)
    score = facts["score"]
    assert score["nested"] is None and score["gap"] is None and score["nested_folds"] is None
    low, high = score["interval"]
    assert low < score["tuned"] < high
    assert len(warnings) == 1 and "no nested score" in warnings[0]
