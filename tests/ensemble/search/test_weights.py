"""The search for weights and thresholds."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from pipeline.ensemble.blending.fixed_point import ONE, integer_weights
from pipeline.ensemble.blending.kernel import decide
from pipeline.ensemble.blending.means import make_mean
from pipeline.ensemble.search.disputed_pixels import find_disputed
from pipeline.ensemble.search.ground_truth_cache import keep_truths
from pipeline.ensemble.search.oof_pixels import gather
from pipeline.ensemble.search.threshold_grid import middle_of_best
from pipeline.ensemble.search.weights import search_blend
from pipeline.ensemble.search.whole_images import whole_images
from pipeline.errors import ConfigError
from pipeline.metrics import get_metric
from tests.helpers.synthetic_members import source

DICE = get_metric("dice")


def kernel_score(data, blend, metric=DICE):
    """What the kernel's own decisions score with a blend found by the search."""
    weights = [blend.weights[name] for name in data.names]
    rows = [
        metric.measure(
            decide(data.maps(id), weights, blend.thresholds, multiclass=data.multiclass),
            data.truth(id),
        )
        for id in data.ids
    ]
    return float(metric.aggregate(np.stack(rows)))


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("multiclass", [False, True])
@pytest.mark.parametrize("name", ["dice", "mean_iou", "tgs"])
def test_the_tuned_score_is_what_the_kernel_scores(seed, multiclass, name, tmp_path):
    data = source(seed, classes=2, multiclass=multiclass)
    metric = get_metric(name)
    blend = search_blend(gather(data, metric, tmp_path), metric)
    assert kernel_score(data, blend, metric) == blend.score
    assert sum(blend.weights.values()) == 1


@pytest.mark.parametrize("seed", range(4))
def test_searching_more_never_scores_less(seed, tmp_path):
    data = source(seed, members=4, noise=3.0)
    oof = find_disputed(data, tmp_path)
    alone = [
        search_blend(oof, DICE, dict(zip(data.names, row, strict=True))).score for row in np.eye(4)
    ]
    searched = search_blend(oof, DICE).score
    assert searched > max(alone), "here, a blend is better than any model"
    assert searched >= search_blend(oof, DICE, "equal").score
    assert search_blend(oof, DICE, "equal").score >= search_blend(oof, DICE, "equal", [0.5]).score


def test_the_search_is_near_the_best_of_a_fine_grid(tmp_path):
    oof = find_disputed(source(3, members=2, noise=3.0), tmp_path)
    grid = [
        search_blend(oof, DICE, {"model0": w, "model1": 1 - w}).score for w in np.linspace(0, 1, 65)
    ]
    assert search_blend(oof, DICE).score >= max(grid) - 1e-3


def test_a_member_that_is_the_truth_gets_nearly_all_the_weight(tmp_path):
    data = source(members=3, noise=8.0)
    perfect = replace(
        data,
        maps=lambda id: [data.truth(id).planes * np.uint8(255), *data.maps(id)[1:]],
    )
    blend = search_blend(find_disputed(perfect, tmp_path), DICE)
    assert blend.score == 1
    assert blend.weights["model0"] > 0.5


def test_the_same_maps_give_the_same_blend_again(tmp_path):
    first, second = (search_blend(find_disputed(source(5), tmp_path), DICE) for _ in range(2))
    assert first == second


def test_given_weights_and_thresholds_stay(tmp_path):
    data = source()
    weights = {"model0": 1, "model2": 1, "model1": 2}
    blend = search_blend(gather(data, DICE, tmp_path, [0.37]), DICE, weights, [0.37])
    assert blend.weights == {"model0": 0.25, "model1": 0.5, "model2": 0.25}
    assert abs(blend.thresholds[0] - 0.37) < 1e-3
    assert kernel_score(data, blend) == blend.score
    half = search_blend(gather(data, DICE, tmp_path, [0.5]), DICE, "equal", [0.5])
    assert half.thresholds == (0.5,)
    assert [round(w * ONE) for w in half.weights.values()] == integer_weights([1, 1, 1]).tolist()


def test_a_single_member_has_all_the_weight(tmp_path):
    blend = search_blend(find_disputed(source(members=1), tmp_path), DICE)
    assert blend.weights == {"model0": 1.0}


@pytest.mark.parametrize(
    ("weights", "thresholds", "message"),
    [
        ({"model0": 1}, "search", "members are"),
        ({"model0": 0, "model1": 0, "model2": 0}, "search", "sums to zero"),
        ({"model0": 2, "model1": -1, "model2": 0}, "search", "negative"),
        ("equal", [0.5, 0.5], "2 thresholds for 1"),
        ("equal", [0.99], "range"),
    ],
)
def test_what_cannot_be_is_refused(weights, thresholds, message, tmp_path):
    with pytest.raises(ConfigError, match=message):
        search_blend(find_disputed(source(), tmp_path), DICE, weights, thresholds)


@pytest.mark.parametrize(
    ("scores", "middle"),
    [([0, 1, 1, 1, 0], 2), ([1, 0, 1, 1, 0], 2), ([5], 0), ([1, 1], 0), ([0, 0, 0, 0, 0], 2)],
)
def test_ties_take_the_middle_of_the_longest_plateau(scores, middle):
    assert middle_of_best(np.array(scores, float)) == middle


def test_two_classes_of_a_mean_over_classes_get_their_own_best_thresholds(tmp_path):
    """Mean Dice of (image, class) pairs falls apart by class, so an exhaustive search is two."""
    data = source(2, classes=2)
    oof = find_disputed(data, tmp_path)
    found = search_blend(oof, DICE, "equal")
    measured = oof.weigh(integer_weights([1, 1, 1]))(
        np.repeat(np.arange(len(oof.grid))[:, None], 2, 1)
    )
    apart = [DICE.aggregate(measured[:, :, plane : plane + 1]).max() for plane in range(2)]
    assert found.score == pytest.approx(np.mean(apart), abs=1e-12)


@pytest.mark.parametrize("multiclass", [False, True])
def test_whole_images_and_disputed_pixels_measure_the_same(multiclass, tmp_path):
    """The slow path for metrics of objects, given a metric of counts, is the fast path's twin."""
    data = source(classes=2, multiclass=multiclass)
    fast, slow = gather(data, DICE, tmp_path), whole_images(data, DICE)
    weights, thresholds = {"model0": 3, "model1": 2, "model2": 1}, [0.5, 0.5]
    assert search_blend(slow, DICE, weights, thresholds) == search_blend(
        fast, DICE, weights, thresholds
    )
    shares = integer_weights([3, 2, 1])
    everywhere = slow.error_correlations(shares)
    assert ((everywhere > 0) & (everywhere <= 1)).all()
    rows = np.array([3, 1])
    levels = np.array([[slow.start] * 2])
    assert (slow.select(rows).weigh(shares)(levels) == slow.weigh(shares)(levels)[:, rows]).all()


def test_whole_images_decode_each_truth_once_and_keep_all_of_it(tmp_path):
    data = source(void=True, images=3)
    asked = []

    def truth(id):
        asked.append(id)
        objects = None if id == data.ids[1] else data.truth(id).planes.astype(np.int32) * 70000
        return replace(data.truth(id), instances=objects, valid=data.truth(id).valid)

    kept = keep_truths(replace(data, truth=truth), tmp_path)
    assert sorted(asked) == sorted(data.ids) and not list(tmp_path.iterdir())
    for id in data.ids:
        for name in ("planes", "valid", "instances"):
            assert np.array_equal(getattr(kept.truth(id), name), getattr(truth(id), name)), name
    accuracy = get_metric("pixel_accuracy")
    search_blend(gather(replace(data, truth=truth), accuracy, tmp_path), accuracy)
    assert len(asked) == 3 + 9 + 3


def test_the_search_works_for_metrics_that_are_not_made_of_counts(tmp_path):
    data = source(images=4, size=(12, 14))
    metric = get_metric("pixel_accuracy")
    oof = gather(data, metric, tmp_path)
    blend = search_blend(oof, metric)
    assert blend.score >= search_blend(oof, metric, "equal").score
    assert kernel_score(data, blend, metric) == blend.score


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    ("name", "keys"),
    [("dsb", {}), ("pixel_accuracy", {}), ("mean_iou", {"classes": 3, "multiclass": True})],
)
def test_no_simple_blend_scores_more_than_the_searched_one(seed, name, keys, tmp_path):
    """Not even where a member's own best threshold is far from that of an equal blend."""
    data = source(seed, images=4, size=(20, 22), **keys)
    timid = {id: [_cubed(data.maps(id)[0]), *data.maps(id)[1:]] for id in data.ids}
    objects = {id: ndimage.label(data.truth(id).planes[0], np.ones((3, 3)))[0] for id in data.ids}
    truths = {
        id: replace(data.truth(id), instances=objects[id][None].astype(np.int32)) for id in data.ids
    }
    data = replace(data, maps=timid.__getitem__, truth=truths.__getitem__)
    metric = get_metric(name)
    oof = gather(data, metric, tmp_path)
    simple = [dict(zip(data.names, row, strict=True)) for row in [*np.eye(3), np.ones(3)]]
    best = max(search_blend(oof, metric, weights).score for weights in simple)
    assert search_blend(oof, metric).score >= best


def _cubed(values):
    return np.rint((values / 255.0) ** 3 * 255).astype(np.uint8)


@pytest.mark.parametrize("mean", ["arithmetic", "geometric", "logit"])
@pytest.mark.parametrize("threshold", [0.0, 0.003, 0.997, 1.0])
def test_thresholds_at_the_ends_are_kept_or_refused(mean, threshold, tmp_path):
    data = source(dtype=np.uint16, mean=make_mean(mean, np.uint16))
    try:
        blend = search_blend(gather(data, DICE, tmp_path, [threshold]), DICE, "equal", [threshold])
    except ConfigError as error:
        assert "is outside the supported range" in str(error)
    else:
        assert abs(blend.thresholds[0] - threshold) <= 0.0101


def test_whole_images_start_from_a_half(tmp_path):
    data = source(images=2, size=(12, 14))
    for each in (data, source(images=2, size=(12, 14), classes=2, multiclass=True)):
        whole = whole_images(each, get_metric("pixel_accuracy"))
        assert abs(whole.grid[whole.start] - 0.5) < 0.03
