"""Steps that look at the image, against slow references and on pictures whose truth is known."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import cv2
import numpy as np
import pytest

from pipeline.data.ground_truth import Truth
from pipeline.ensemble.blending.means import ARITHMETIC
from pipeline.ensemble.postprocessing import dense_crf, graph_cut, guided_filter
from pipeline.ensemble.postprocessing.lattice import Lattice
from pipeline.ensemble.postprocessing.registry import STEPS, apply_steps, get_step
from pipeline.ensemble.postprocessing.search import Decisions
from pipeline.ensemble.postprocessing.step import ChosenStep
from pipeline.ensemble.postprocessing.view import View, likelihood, log_odds
from pipeline.ensemble.recipe import Recipe, steps_as_yaml, steps_from_yaml
from pipeline.ensemble.search.weights import Blend
from pipeline.errors import ConfigError, DataError
from pipeline.metrics import get_metric
from pipeline.reports.choices import named_steps
from tests.ensemble.postprocessing.test_postprocessing import IMAGE_STEPS, chosen_on
from tests.helpers.synthetic_members import source

MARGINAL = 0.005
"""By how much the marginals of the lattice differ from exact sums, on average."""


def scene(seed=0, size=(40, 48)):
    """A disc of one colour, its picture, and a noisy probability (float32 HW)."""
    rng = np.random.default_rng(seed)
    plane = np.zeros(size, np.uint8)
    cv2.circle(plane, (size[1] // 2, size[0] // 2), size[0] // 3, 1, -1)
    truth = plane > 0
    colours = np.where(truth[..., None], (180, 90, 60), (60, 120, 150))
    picture = (colours + rng.normal(0, 12, (*size, 3))).clip(0, 255).astype(np.uint8)
    probability = np.where(truth, 0.65, 0.35) + rng.normal(0, 0.25, size)
    return truth, picture, probability.clip(0.01, 0.99).astype(np.float32)


def exact(points):
    """The sums of a Gaussian kernel over all pairs."""
    squares = ((points[:, None] - points[None]) ** 2).sum(axis=2)
    kernel = np.exp(-squares / 2)
    return lambda values: (kernel @ values.reshape(-1)).reshape(values.shape).astype(np.float32)


def places(size):
    return np.stack(np.meshgrid(*map(np.arange, size), indexing="ij"), axis=2).reshape(-1, 2)


@pytest.mark.parametrize(("away", "colour", "weight"), [(5, 13, 2), (10, 20, 5), (5, 40, 2)])
def test_the_mean_field_is_that_of_exact_sums(away, colour, weight):
    truth, picture, probability = scene(size=(30, 36))
    points = np.hstack([places(truth.shape) / away, picture.reshape(-1, 3) / colour])
    reference = [(weight, exact(points)), (3.0, exact(places(truth.shape) / 3))]
    fast = [
        (weight, dense_crf.bilateral(picture, away, colour)),
        (3.0, dense_crf.spatial(3)),
    ]
    wanted = dense_crf.mean_field(probability, reference, 5)
    found = dense_crf.mean_field(probability, fast, 5)
    assert np.abs(found - wanted).mean() < MARGINAL
    assert ((found >= 0.5) != (wanted >= 0.5)).mean() < 0.005
    assert ((found >= 0.5) != truth).mean() < 0.1 * ((probability >= 0.5) != truth).mean()


def test_one_iteration_of_the_mean_field_is_the_formula():
    """Three pixels, one kernel, by hand."""
    likely = np.array([[0.9, 0.5, 0.2]], np.float32)
    kernel = exact(np.array([[0.0], [1], [2]]))
    k = np.exp(-0.5 * np.array([[0, 1, 4], [1, 0, 1], [4, 1, 0]]))
    scale = 1 / np.sqrt(k.sum(axis=1))
    message = scale * (k @ (scale * (2 * likely[0] - 1)))
    total = np.log(likely[0] / (1 - likely[0])) + 1.5 * message
    found = dense_crf.mean_field(likely, [(1.5, kernel)], 1)
    np.testing.assert_allclose(found[0], 1 / (1 + np.exp(-total)), rtol=1e-5)


def test_the_mean_field_is_that_of_the_authors_code():
    pytest.importorskip("pydensecrf")
    from pydensecrf.densecrf import DenseCRF2D

    truth, picture, likely = scene()
    height, width = truth.shape
    theirs = DenseCRF2D(width, height, 2)
    unary = -np.log(np.stack([1 - likely, likely])).reshape(2, -1)
    theirs.setUnaryEnergy(np.ascontiguousarray(unary, np.float32))
    theirs.addPairwiseGaussian(sxy=3, compat=3)
    theirs.addPairwiseBilateral(sxy=6, srgb=13, rgbim=picture, compat=5)
    kernels = [(5.0, dense_crf.bilateral(picture, 6, 13)), (3.0, dense_crf.spatial(3))]
    found = dense_crf.mean_field(likely, kernels, 5)
    wanted = np.array(theirs.inference(5))[1].reshape(height, width)
    assert np.abs(found - wanted).mean() < 0.002


def test_the_lattice_filters_far_points_apart_and_equal_points_alike():
    points = np.repeat(np.array([[0, 0, 0], [50, 0, 0]], np.float32), [3, 2], axis=0)
    lattice = Lattice.of(points)
    sums = lattice.filter(np.array([1, 2, 3, 0, 0], np.float32))
    assert sums[:3] == pytest.approx(sums[0]) and sums[0] > 0 and not sums[3:].any()
    np.testing.assert_allclose(lattice.shares.sum(axis=1), 1, rtol=1e-5)
    assert (lattice.shares > -1e-5).all()


def test_the_guided_filter_is_a_linear_model_of_colours_in_each_window():
    _, picture, probability = scene(size=(9, 11))
    radius, epsilon = 2, 1e-3
    colours = picture / 255
    height, width = probability.shape
    sums, counts = np.zeros(probability.shape), np.zeros(probability.shape)
    for y, x in product(range(height), range(width)):
        window = (
            slice(max(0, y - radius), y + radius + 1),
            slice(max(0, x - radius), x + radius + 1),
        )
        inside = colours[window].reshape(-1, 3)
        values = probability[window].reshape(-1)
        spread = np.cov(inside.T, bias=True) + epsilon * np.eye(3)
        together = ((inside - inside.mean(axis=0)) * (values - values.mean())[:, None]).mean(axis=0)
        slope = np.linalg.solve(spread, together)
        model = colours[window] @ slope + values.mean() - slope @ inside.mean(axis=0)
        sums[window] += model
        counts[window] += 1
    found = guided_filter.filtered(probability[None], picture, radius, epsilon)[0]
    np.testing.assert_allclose(found, sums / counts, atol=2e-4)


@pytest.mark.parametrize("seed", range(3))
def test_the_graph_cut_is_the_mask_of_least_energy(seed):
    pytest.importorskip("maxflow")
    rng = np.random.default_rng(seed)
    size, weight = (3, 4), 1.5
    picture = rng.integers(0, 256, (*size, 3), np.uint8)
    likely = rng.uniform(0.1, 0.9, size).astype(np.float32)
    odds = log_odds(likely)
    pairs = {}
    for (y, x), (v, u) in product(np.ndindex(size), np.ndindex(size)):
        if (y, x) < (v, u) and max(abs(y - v), abs(x - u)) == 1:
            pairs[(y, x), (v, u)] = ((picture[y, x] * 1.0 - picture[v, u]) ** 2).sum()
    mean = np.mean(list(pairs.values()))

    def energy(mask):
        cut = sum(
            weight * np.exp(-square / (2 * mean)) / np.hypot(a[0] - b[0], a[1] - b[1])
            for (a, b), square in pairs.items()
            if mask[a] != mask[b]
        )
        return cut - odds[mask].sum()

    masks = [np.array(bits, bool).reshape(size) for bits in product((0, 1), repeat=12)]
    found = graph_cut.graph_cut(likely[None], picture, weight)[0]
    assert energy(found) == pytest.approx(min(map(energy, masks)), abs=1e-4)


@pytest.mark.parametrize("name", IMAGE_STEPS)
def test_a_step_follows_the_edges_of_the_image(name):
    pytest.importorskip((STEPS[name].extra or ("numpy",))[0])
    truth, picture, probability = scene(1, (60, 64))
    sure = cv2.GaussianBlur(truth.astype(np.float32), (0, 0), 4)[None] * 0.98 + 0.01
    likely = sure if name == "grabcut" else probability[None]
    view = View((0.5,), lambda: picture)
    before = ((likely >= 0.5) != truth).mean() if name != "grabcut" else 0.05
    errors = [
        (apply_steps(likely >= 0.5, likely, [each], {}, view) != truth).mean()
        for each in STEPS[name].choices
    ]
    assert min(errors) < 0.5 * before


def test_grabcut_is_the_same_again_and_without_sure_pixels_changes_nothing():
    truth, picture, _ = scene(2)
    likely = cv2.GaussianBlur(truth.astype(np.float32), (0, 0), 4)[None] * 0.98 + 0.01
    view, step = View((0.5,), lambda: picture), ChosenStep("grabcut", 0.8)
    first = apply_steps(likely >= 0.5, likely, [step], {}, view)
    cv2.setRNGSeed(7)
    assert (apply_steps(likely >= 0.5, likely, [step], {}, view) == first).all()
    unsure = (likely - 0.5) * 0.2 + 0.5
    assert (apply_steps(unsure >= 0.5, unsure, [step], {}, view) == (unsure >= 0.5)).all()


def test_likelihoods_are_on_the_side_of_the_decision_whatever_the_threshold():
    probability = np.array([[[0.1, 0.3, 0.299, 0.9, 1.0, 0.0]]], np.float32)
    decision = probability >= 0.3
    likely = likelihood(decision, probability, (0.3,))
    assert ((likely >= 0.5) == decision).all()
    assert likely[0, 0, 1] == pytest.approx(0.5) and (np.diff(np.sort(likely)) >= 0).all()
    odds = log_odds(likely)[0, 0]
    assert odds[3] == pytest.approx(np.log(9) - np.log(3 / 7), rel=1e-4)
    assert np.isfinite(odds).all()
    turned = likelihood(~decision, probability, (0.3,))
    np.testing.assert_allclose(turned, 1 - likely, atol=1e-6)


def test_an_earlier_step_is_not_undone_by_a_likelihood():
    """A speck that was removed stays removed where the image says nothing."""
    likely = np.full((1, 20, 20), 0.05, np.float32)
    likely[0, 9:11, 9:11] = 0.9
    grey, steps = np.full((20, 20, 3), 99, np.uint8), []
    steps = [ChosenStep("minimum_area", 0.1), ChosenStep("guided_filter", 0.05)]
    assert not apply_steps(likely >= 0.5, likely, steps, {}, View((0.5,), lambda: grey)).any()


def test_an_image_is_read_only_by_steps_that_look_at_it_and_must_be_there():
    likely = np.full((1, 6, 8), 0.8, np.float32)

    def refused():
        raise AssertionError("read")

    steps = [ChosenStep("fill_holes", 0.1)]
    apply_steps(likely > 0.5, likely, steps, {}, View((0.5,), refused))
    steps = [ChosenStep("guided_filter", 0.1)]
    with pytest.raises(AssertionError, match="read"):
        apply_steps(likely > 0.5, likely, steps, {}, View((0.5,), refused))
    with pytest.raises(DataError, match="looks at the image, and there is only its map"):
        apply_steps(likely > 0.5, likely, steps)
    other = View((0.5,), lambda: np.zeros((8, 6, 3), np.uint8))
    with pytest.raises(DataError, match=r"\(8, 6\) and its map \(6, 8\)"):
        apply_steps(likely > 0.5, likely, steps, {}, other)


def test_entries_give_settings_and_all_combinations_are_tried():
    step = get_step({"name": "dense_crf", "values": [1, 2], "colour": [5, 9], "reach": 0.2})
    assert [(each.value, *(number for _, number in each.settings)) for each in step.choices] == [
        (1, 5, 0.2), (1, 9, 0.2), (2, 5, 0.2), (2, 9, 0.2),
    ]  # fmt: skip
    assert get_step("guided_filter") == STEPS["guided_filter"]
    for entry, message in [
        ({"name": "dense_crf", "color": 3}, "no setting 'color'; did you mean colour"),
        ({"name": "dense_crf", "colour": []}, "colour must be a list of numbers above 0"),
        ({"name": "dense_crf", "near": -1}, "near must be a list of numbers above 0"),
        ({"name": "dense_crf", "near": list(range(1, 60))}, "354 combinations"),
        ({"name": "dense_crf", "by": "presence"}, "takes no by"),
        ({"name": "grabcut", "sure": 0.5}, "no setting 'sure'"),
        ({"name": "graph_cut", "colour": 0.5}, "neither the name of a step"),
    ]:
        with pytest.raises(ConfigError, match=message):
            get_step(entry)


def test_a_missing_package_is_told_with_the_command(monkeypatch):
    monkeypatch.setattr("pipeline.ensemble.postprocessing.step.find_spec", lambda _: None)
    with pytest.raises(ConfigError, match=r"pip install 'maskmill\[graphcut\]'"):
        get_step("graph_cut")
    get_step("dense_crf")


def test_settings_are_written_and_read_back():
    steps = (
        ChosenStep("fill_holes", 0.1),
        ChosenStep("dense_crf", 5.0, (("colour", 13.0), ("reach", 0.1))),
    )
    written = steps_as_yaml(steps)
    assert steps_from_yaml(written) == steps and "settings" not in written[0]
    assert named_steps(written) == "fill_holes 0.1, dense_crf 5 (colour 13, reach 0.1)"


def coloured(images=6):
    """Maps whose errors can be corrected by looking at the images."""
    data = source(3, images=images, members=2, noise=1.5, size=(40, 40))
    rng = np.random.default_rng(0)
    truths = {}
    pictures = {}
    for id in data.ids:
        plane = data.truth(id).planes[0]
        truths[id] = Truth(plane[None])
        colours = np.where(plane[..., None] > 0, (200, 90, 60), (60, 120, 150))
        noise = rng.normal(0, 8, colours.shape)
        pictures[id] = (colours + noise).clip(0, 255).astype(np.uint8)
    return replace(data, truth=truths.__getitem__, picture=pictures.__getitem__)


def test_the_search_sees_the_images_and_keeps_what_they_mend(tmp_path):
    data = coloured()
    entry = {"name": "guided_filter", "values": [0.05, 0.1], "epsilon": [1e-3]}
    plain, outcome = chosen_on(data, [entry], tmp_path)
    (trial,) = outcome.whole.step_trials
    assert trial.kept and outcome.nested.score > plain.nested.score
    assert trial.settings == (("epsilon", 1e-3),)
    (step,) = outcome.whole.steps
    assert (step.name, step.settings) == ("guided_filter", trial.settings)


def test_the_search_measures_what_the_recipe_decides():
    data, metric = coloured(2), get_metric("dice")
    weights = dict(zip(data.names, (0.25, 0.75), strict=True))
    step = ChosenStep("dense_crf", 5.0, (("colour", 13.0),))
    decisions = Decisions(data, metric, [])
    measured = decisions.measured(Blend(weights, (0.4,), 0.0), (step,))
    recipe = Recipe(weights, (0.4,), multiclass=False, mean=ARITHMETIC, steps=(step,))
    for row, id in enumerate(data.ids):
        decision = recipe.decide(data.maps(id), lambda id=id: data.picture(id))
        assert (metric.measure(decision, data.truth(id)) == measured[row]).all()
        bare = replace(recipe, steps=()).decide(data.maps(id))
        assert (bare != decision).any()
