"""Post-processing steps against slow references, and the search that keeps or drops them."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from scipy import ndimage

from pipeline.data.ground_truth import Truth
from pipeline.ensemble.postprocessing.registry import STEPS, apply_steps, get_step
from pipeline.ensemble.postprocessing.search import Decisions
from pipeline.ensemble.postprocessing.step import ChosenStep
from pipeline.ensemble.postprocessing.view import View
from pipeline.ensemble.search.disputed_pixels import find_disputed
from pipeline.ensemble.search.evidence import Evidence
from pipeline.ensemble.search.nested import Procedure
from pipeline.errors import ConfigError
from pipeline.metrics import get_metric
from tests.helpers.synthetic_members import source

DICE = get_metric("dice")
EIGHT = np.ones((3, 3))
IMAGE_STEPS = [name for name, step in STEPS.items() if step.refine is not None]


def picture(seed, classes=2, size=(40, 50)):
    """A decision with components, holes and specks of many sizes, and its probabilities."""
    rng = np.random.default_rng(seed)
    noise = [cv2.GaussianBlur(rng.normal(size=size), (0, 0), 1.3) * 4 for _ in range(classes)]
    probability = (1 / (1 + np.exp(-np.stack(noise)))).astype(np.float32)
    return probability >= 0.6, probability


def applied(choice, decision, probability):
    """A step on its own; those that look at the image see noise."""
    pytest.importorskip((STEPS[choice.name].extra or ("numpy",))[0])
    noise = np.random.default_rng(0).integers(0, 256, (*decision.shape[1:], 3), np.uint8)
    view = View((0.6,) * len(decision), lambda: noise)
    return apply_steps(decision, probability, [choice], {}, view)


def components(plane, structure=EIGHT):
    labels, count = ndimage.label(plane, structure)
    return [labels == number for number in range(1, count + 1)]


@pytest.mark.parametrize("name", STEPS)
@pytest.mark.parametrize("seed", range(3))
def test_every_step_leaves_its_arguments_alone_and_treats_classes_apart(name, seed):
    decision, probability = picture(seed)
    before = decision.copy(), probability.copy()
    for choice in STEPS[name].choices:
        after = applied(choice, decision, probability)
        assert after.dtype == np.bool_ and after.shape == decision.shape
        for plane in range(2):
            one = slice(plane, plane + 1)
            alone = applied(choice, decision[one], probability[one])
            assert (alone[0] == after[plane]).all()
    assert (decision == before[0]).all() and (probability == before[1]).all()


@pytest.mark.parametrize("name", STEPS)
def test_every_step_leaves_an_empty_plane_empty(name):
    nothing, low = np.zeros((1, 8, 9), bool), np.full((1, 8, 9), 0.05, np.float32)
    for choice in STEPS[name].choices:
        assert not applied(choice, nothing, low).any()


@pytest.mark.parametrize("name", ["fill_holes", "keep_largest", "minimum_area", *IMAGE_STEPS])
def test_a_full_plane_stays_full(name):
    full, high = np.ones((1, 8, 9), bool), np.ones((1, 8, 9), np.float32)
    for choice in STEPS[name].choices:
        assert applied(choice, full, high).all()


@pytest.mark.parametrize("seed", range(5))
def test_minimum_area_removes_exactly_the_smaller_components(seed):
    decision, probability = picture(seed)
    for value in (0.0005, 0.005, 0.05):
        after = STEPS["minimum_area"].function(decision, probability, value)
        for plane, cleaned in zip(decision, after, strict=True):
            expected = np.zeros_like(plane)
            for part in components(plane):
                expected |= part & (part.sum() >= value * plane.size)
            assert (cleaned == expected).all()


@pytest.mark.parametrize("seed", range(5))
def test_keep_largest_keeps_that_many_and_none_smaller_than_one_dropped(seed):
    decision, probability = picture(seed)
    for count in (1, 2, 5):
        after = STEPS["keep_largest"].function(decision, probability, count)
        for plane, cleaned in zip(decision, after, strict=True):
            sizes = sorted((int(part.sum()) for part in components(plane)), reverse=True)
            kept = sorted((int(part.sum()) for part in components(cleaned)), reverse=True)
            assert kept == sizes[:count]
            assert not (cleaned & ~plane).any()


@pytest.mark.parametrize("seed", range(5))
def test_fill_holes_of_any_size_is_scipys_and_a_limit_fills_the_small_ones(seed):
    decision, probability = picture(seed)
    decision[:, 3:12, 5:17] = True
    decision[:, 5:10, 8:14] = False
    everything = STEPS["fill_holes"].function(decision, probability, 1.0)
    some = STEPS["fill_holes"].function(decision, probability, 0.005)
    for plane, all_filled, part_filled in zip(decision, everything, some, strict=True):
        reference = ndimage.binary_fill_holes(plane)
        assert (all_filled == reference).all() and (reference & ~plane).any()
        expected = plane.copy()
        for hole in components(reference & ~plane, structure=None):
            expected |= hole & (hole.sum() <= 0.005 * plane.size)
        assert (part_filled == expected).all()


@pytest.mark.parametrize("seed", range(5))
def test_hysteresis_is_growth_from_the_decision_through_likely_pixels(seed):
    _, probability = picture(seed)
    decision = probability >= 0.8
    after = STEPS["hysteresis"].function(decision, probability, 0.5)
    for seed_plane, likely, grown in zip(decision, probability >= 0.5, after, strict=True):
        assert (grown == ndimage.binary_propagation(seed_plane, EIGHT, mask=likely)).all()


def test_a_gate_empties_only_the_planes_without_a_certain_pixel():
    decision, probability = picture(0)
    probability[0] *= 0.5
    probability[1, 4:8, 4:8] = 0.99
    after = STEPS["gate"].function(decision, probability, 0.9)
    assert not after[0].any() and (after[1] == decision[1]).all()


def test_a_gate_asks_for_a_thousandth_of_the_plane_and_not_for_one_pixel():
    probability = np.full((2, 100, 100), 0.2, np.float32)
    probability[0, :2, :5] = 0.95
    probability[1, 0, 0] = 1.0
    after = STEPS["gate"].function(probability > 0.1, probability, 0.9)
    assert after[0].all() and not after[1].any()


def test_steps_are_applied_in_their_order():
    decision, probability = picture(1)
    area, holes = ChosenStep("minimum_area", 0.01), ChosenStep("fill_holes", 1.0)
    one = STEPS["minimum_area"].function(decision, probability, 0.01)
    expected = STEPS["fill_holes"].function(one, probability, 1.0)
    assert (apply_steps(decision, probability, [area, holes]) == expected).all()
    assert apply_steps(decision, probability, []) is decision


def test_an_entry_of_the_experiment_names_a_step_and_may_name_its_values():
    assert get_step("gate") is STEPS["gate"]
    assert get_step({"name": "gate", "values": [0.3]}).candidates == (0.3,)
    for entry, message in [
        ("gates", "did you mean gate"),
        ({"name": "gate", "value": 3}, "neither the name of a step nor"),
        ({"gate": 3}, "neither the name of a step nor"),
        ({"name": "gate", "values": []}, "list of numbers"),
        ({"name": "gate", "values": 0.3}, "list of numbers above 0, not 0.3"),
        ({"name": "keep_largest", "values": [0, 2]}, "list of numbers above 0"),
        ({"name": "gate", "values": [True]}, "list of numbers above 0"),
        ({"name": "gate", "values": [float("inf")]}, "list of numbers above 0"),
        ({"values": [1]}, "neither the name of a step nor"),
    ]:
        with pytest.raises(ConfigError, match=message):
            get_step(entry)


def speckled(images=9):
    """Maps with specks that are in no truth: minimum_area helps, a gate cannot."""
    data = source(3, images=images, members=2, noise=1.0, size=(48, 48))
    rng = np.random.default_rng(0)
    dots = {id: rng.random(data.truth(id).planes.shape) < 0.01 for id in data.ids}

    def maps(id):
        return [np.where(dots[id], 255, values).astype(np.uint8) for values in data.maps(id)]

    truths = {}
    for id in data.ids:
        plane = ndimage.binary_opening(data.truth(id).planes[0], EIGHT, iterations=2)
        truths[id] = Truth(plane[None].astype(np.uint8))
    return replace(data, maps=maps, truth=truths.__getitem__)


def chosen_on(data, names, tmp_path, folds=None, groups=None):
    folds = np.arange(len(data.ids)) % 3 if folds is None else folds
    groups = np.arange(len(folds)) if groups is None else groups
    evidence = Evidence(find_disputed(data, tmp_path), folds, groups)
    plain = Procedure(evidence, DICE).run(lambda fold, rule: "search")
    decisions = Decisions(data, DICE, [get_step(name) for name in names])
    outcome = Procedure(evidence, DICE, "search", decisions).run(lambda fold, rule: "search")
    return plain, outcome


def test_a_step_that_helps_is_kept(tmp_path):
    plain, outcome = chosen_on(speckled(), ["gate", "minimum_area"], tmp_path)
    assert [step.name for step in outcome.whole.steps] == ["minimum_area"]
    assert [trial.kept for trial in outcome.whole.step_trials] == [False, True]
    assert outcome.score > plain.score and outcome.nested.score > plain.nested.score
    gain = outcome.whole.step_trials[1]
    assert gain.gain > gain.error > 0


def test_a_step_that_only_harms_is_dropped_and_changes_nothing(tmp_path):
    data = source(images=6, members=2, size=(48, 48))
    names = [{"name": "minimum_area", "values": [1.0]}, {"name": "gate", "values": [1.0]}]
    plain, outcome = chosen_on(data, names, tmp_path)
    assert outcome.whole.steps == () and outcome.score == plain.score
    assert outcome.nested.score == plain.nested.score
    assert [trial.value for trial in outcome.whole.step_trials] == [None, None]


def test_a_step_that_helps_on_all_maps_but_not_on_folds_left_out_is_dropped(tmp_path):
    """In fold 0 the specks are real: each fold then learns the wrong thing from the other."""
    data, folds = speckled(), np.array([0, 0, 0, 1, 1, 1, 1, 1, 1])

    def truth(id):
        real = data.maps(id)[0] == 255
        known = data.truth(id)
        return known if folds[data.ids.index(id)] else replace(known, planes=known.planes | real)

    mixed = replace(data, truth=truth)
    names = [{"name": "minimum_area", "values": [0.005]}]
    _, outcome = chosen_on(mixed, names, tmp_path, folds)
    trial = outcome.whole.step_trials[0]
    assert trial.value == 0.005, "all maps together would take it"
    assert trial.gain < -0.001 and not outcome.whole.steps


def test_a_gain_within_one_standard_error_is_dropped(tmp_path):
    """Specks are errors in three images and real in two: a gain, but a few groups' luck."""
    data, clean = speckled(), source(3, images=9, members=2, noise=1.0, size=(48, 48))

    def maps(id):
        return data.maps(id) if id in data.ids[:5] else clean.maps(id)

    def truth(id):
        known = data.truth(id)
        real = data.maps(id)[0] == 255
        return replace(known, planes=known.planes | real) if id in data.ids[3:5] else known

    names = [{"name": "minimum_area", "values": [0.002]}]
    _, outcome = chosen_on(replace(data, maps=maps, truth=truth), names, tmp_path)
    trial = outcome.whole.step_trials[0]
    assert trial.value == 0.002 and 0 < trial.gain < trial.error
    assert not trial.kept and not outcome.whole.steps
