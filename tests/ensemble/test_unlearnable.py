"""Where nothing can be learned, the nested score is what chance gives: no choice leaks.

A leak of 0.01 shows: the mean over many draws must not be above the expected score of fixed
choices beyond its standard error.
"""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.data.ground_truth import Truth
from pipeline.ensemble.blending.kernel import blend, decide
from pipeline.ensemble.postprocessing.registry import apply_steps, get_step
from pipeline.ensemble.postprocessing.search import Decisions
from pipeline.ensemble.postprocessing.step import ChosenStep
from pipeline.ensemble.search import oof, sampling
from pipeline.ensemble.search.evidence import Evidence
from pipeline.ensemble.search.nested import Procedure
from pipeline.ensemble.search.oof import OofSource
from pipeline.ensemble.search.oof_pixels import gather
from pipeline.metrics import get_metric

STEPS = [
    get_step({"name": "minimum_area", "values": [0.03, 0.12]}),
    get_step({"name": "gate", "values": [0.6, 0.8]}),
    get_step({"name": "fill_holes", "values": [1.0]}),
]
SIZE = (6, 6)


def unlearnable(seed, images=8, members=2):
    """Maps that have nothing to do with the truth; each image is of one mind, so luck is large."""
    rng = np.random.default_rng(seed)
    maps, truths = {}, {}
    for number in range(images):
        truth = np.full((1, *SIZE), rng.integers(0, 2), np.uint8)
        truth ^= rng.random(truth.shape) < 0.2
        maps[f"i{number}"] = [
            np.clip(rng.integers(30, 226) + rng.normal(0, 25, (1, *SIZE)), 0, 255).astype(np.uint8)
            for _ in range(members)
        ]
        truths[f"i{number}"] = Truth(truth)
    names = tuple(f"m{member}" for member in range(members))
    return OofSource(names, tuple(maps), maps.__getitem__, truths.__getitem__)


def outcome_of(data, metric, folds, tmp_path, weights):
    count = len(data.ids)
    evidence = Evidence(gather(data, metric, tmp_path), np.arange(count) % folds, np.arange(count))
    decisions = Decisions(data, metric, STEPS)
    rule = weights if weights == "nested" else lambda fold, rule: weights
    return Procedure(evidence, metric, "search", decisions).run(rule)


def fixed_scores(data, metric):
    """The scores of a grid of fixed weights, thresholds and steps."""
    pairs = [(id, data.maps(id), data.truth(id)) for id in data.ids]
    found = []
    for weights in [(1, 0), (1, 1)]:
        for threshold in (0.1, 0.5, 0.9):
            for steps in [(), (ChosenStep("gate", 0.6),)]:
                rows = []
                for _, maps, truth in pairs:
                    decided = decide(maps, weights, [threshold], threads=1)
                    decided = apply_steps(decided, blend(maps, weights, threads=1), steps)
                    rows.append(metric.measure(decided, truth))
                found.append(float(metric.aggregate(np.stack(rows))))
    return found


def check(name, seeds, folds, tmp_path, weights="search"):
    metric = get_metric(name)
    nested, tuned, fixed = [], [], []
    for seed in range(seeds):
        data = unlearnable(seed)
        outcome = outcome_of(data, metric, folds, tmp_path, weights)
        nested.append(outcome.nested.score)
        tuned.append(outcome.score)
        fixed.append(fixed_scores(data, metric))
    best = np.mean(fixed, axis=0).argmax()
    excess = np.array(nested) - np.array(fixed)[:, best]
    error = excess.std(ddof=1) / np.sqrt(seeds)
    assert np.mean(excess) < 2.5 * error, (np.mean(excess), error)
    if name == "pixel_accuracy":  # a coin decides every image, whatever is chosen
        assert abs(np.mean(nested) - 0.5) < 3 * np.std(nested) / np.sqrt(seeds)
    assert np.mean(tuned) > np.mean(nested) + 0.02, "there was much to choose wrongly"


@pytest.mark.parametrize("name", ["dice", "pixel_accuracy"])
def test_nested_does_not_exceed_the_expected_score_of_fixed_choices(name, tmp_path):
    check(name, 12, 2, tmp_path)


def test_nor_where_weights_compete(tmp_path):
    check("pixel_accuracy", 8, 2, tmp_path, "nested")


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("folds", [2, 4])
@pytest.mark.parametrize("name", ["dice", "pixel_accuracy"])
def test_nor_where_weights_compete_over_hundreds_of_draws(name, folds, tmp_path):
    check(name, 200, folds, tmp_path, "nested")


@pytest.fixture
def sampled(monkeypatch):
    """Everything is searched on a sample of half of the images and a pixel or two of each."""
    monkeypatch.setattr(sampling, "SEARCHED_VALUES", 1)
    monkeypatch.setattr(sampling, "SAMPLED_VALUES", 1)
    monkeypatch.setattr(sampling, "FEWEST_PIXELS", 4)
    monkeypatch.setattr(sampling, "SAMPLED_IMAGES", 6)
    monkeypatch.setattr(oof, "FEWEST_IMAGES", 2)


def test_nor_where_the_search_is_on_a_sample(tmp_path, sampled):
    data = unlearnable(0)
    assert gather(data, get_metric("dice"), tmp_path).sample.oof.images == 6
    check("dice", 12, 2, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("folds", [2, 4])
@pytest.mark.parametrize("name", ["dice", "global_dice"])
def test_nor_on_a_sample_over_hundreds_of_draws(name, folds, tmp_path, sampled):
    check(name, 200, folds, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("folds", [2, 4])
@pytest.mark.parametrize("name", ["dice", "global_dice", "pixel_accuracy"])
def test_nor_over_hundreds_of_draws(name, folds, tmp_path):
    check(name, 200, folds, tmp_path)
