"""What each model is worth: like with like, nested and tuned, paired by group."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pipeline.ensemble.blending.kernel import blend, decide
from pipeline.ensemble.postprocessing.registry import apply_steps, get_step
from pipeline.ensemble.postprocessing.search import Decisions
from pipeline.ensemble.search.disputed_pixels import find_disputed
from pipeline.ensemble.search.evidence import Evidence
from pipeline.ensemble.search.model_value import member_worths
from pipeline.ensemble.search.nested import Procedure
from pipeline.metrics import get_metric
from tests.ensemble.postprocessing.test_postprocessing import speckled
from tests.helpers.synthetic_members import source

DICE = get_metric("dice")


def worths_of(data, tmp_path, weights="search", names=("minimum_area",), thresholds="search"):
    count = len(data.ids)
    evidence = Evidence(find_disputed(data, tmp_path), np.arange(count) % 3, np.arange(count))
    decisions = Decisions(data, DICE, [get_step(name) for name in names]) if names else None
    procedure = Procedure(evidence, DICE, thresholds, decisions)
    outcome = procedure.run(lambda fold, rule: weights)
    return outcome, member_worths(procedure, outcome, 0)


def kernel_measures(data, chosen, steps, rows):
    weights = [chosen.blend.weights[name] for name in data.names]
    found = []
    for row in rows:
        maps = data.maps(data.ids[row])
        decided = decide(maps, weights, chosen.blend.thresholds)
        decided = apply_steps(decided, blend(maps, weights), steps)
        found.append(DICE.measure(decided, data.truth(data.ids[row])))
    return np.stack(found)


def test_every_row_has_the_blends_post_processing_fold_by_fold(tmp_path):
    """The fault: models were scored without the steps beside a blend with them."""
    data = speckled()
    outcome, worths = worths_of(data, tmp_path)
    assert outcome.whole.steps, "specks are removed"
    folds = np.arange(len(data.ids)) % 3
    for worth in worths:
        for row in (worth.alone, worth.without):
            everything = kernel_measures(data, row.whole, outcome.whole.steps, range(len(folds)))
            assert row.score == DICE.aggregate(everything)
            for fold, chosen in row.by_fold.items():
                rows = np.flatnonzero(folds == fold)
                expected = kernel_measures(data, chosen, outcome.by_fold[fold].steps, rows)
                assert (row.nested.statistics[rows] == expected).all()


def test_the_blend_without_a_model_is_the_run_without_it(tmp_path):
    """With equal weights and a given threshold nothing else can differ."""
    data = source(members=3, noise=4.0, images=9)
    outcome, worths = worths_of(data, tmp_path, "equal", (), (0.5,))
    fewer = replace(data, names=data.names[1:], maps=lambda id: data.maps(id)[1:])
    other, _ = worths_of(fewer, tmp_path, "equal", (), (0.5,))
    assert worths[0].without.score == other.score
    assert worths[0].without.nested.score == other.nested.score
    assert worths[0].worth.value == pytest.approx(outcome.nested.score - other.nested.score)


def test_a_model_that_harms_has_a_worth_below_zero(tmp_path):
    """It has weight that it does not earn: the interval says for sure that it costs."""
    data = source(members=3, noise=1.0, images=12)
    rng = np.random.default_rng(0)
    noise = {id: rng.integers(0, 256, data.maps(id)[0].shape, np.uint8) for id in data.ids}
    bad = replace(data, maps=lambda id: [*data.maps(id)[:2], noise[id]])
    outcome, worths = worths_of(bad, tmp_path, "equal", ())
    harm, good = worths[2].worth, worths[0].worth
    assert harm.high < 0 < good.value
    assert harm.value == outcome.nested.score - worths[2].without.nested.score


def test_a_model_without_weight_is_worth_nothing_and_one_with_all_leaves_the_others(tmp_path):
    data = source(members=3, noise=4.0, images=9)
    weights = {"model0": 0.0, "model1": 1.0, "model2": 0.0}
    _, worths = worths_of(data, tmp_path, weights, ())
    assert (worths[0].worth.value, worths[0].worth.low, worths[0].worth.high) == (0, 0, 0)
    assert worths[1].without.whole.blend.weights == {"model0": 0.5, "model1": 0.0, "model2": 0.5}
    assert [row.name for row in worths] == list(data.names)
    assert [row.weight for row in worths] == [0, 1, 0]


def test_a_single_model_has_no_blend_without_it(tmp_path):
    outcome, worths = worths_of(source(members=1, images=9), tmp_path, names=())
    assert worths[0].without is None and worths[0].worth is None
    assert worths[0].alone.score == outcome.score


@pytest.mark.parametrize("names", [(), ("minimum_area",)])
def test_a_single_model_is_not_searched_again_and_a_search_would_find_the_same(tmp_path, names):
    """Two searches took most of the time of an ensemble of one model."""
    data = source(members=1, images=9)
    outcome, (worth,) = worths_of(data, tmp_path, names=names)
    assert worth.alone is outcome
    _, (again,) = worths_of(data, tmp_path, {data.names[0]: 1.0}, names)
    assert again.alone.score == outcome.score
    assert again.alone.whole.blend.thresholds == outcome.whole.blend.thresholds
    assert (again.alone.nested.statistics == outcome.nested.statistics).all()
