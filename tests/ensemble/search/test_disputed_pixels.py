"""Pruning is exact: what the disputed pixels give equals what all pixels give, count for count."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pipeline.data.ground_truth import Truth
from pipeline.ensemble.blending import threads
from pipeline.ensemble.blending.fixed_point import ONE, integer_weights
from pipeline.ensemble.blending.kernel import blend, decide
from pipeline.ensemble.blending.means import make_mean
from pipeline.ensemble.search.disputed_pixels import find_disputed
from pipeline.ensemble.search.oof import OofSource
from pipeline.ensemble.search.weights import search_blend
from pipeline.metrics import counts, get_metric
from tests.helpers.synthetic_members import source

CASES = [
    {},
    {"dtype": np.uint16, "classes": 2},
    {"classes": 3, "void": True, "members": 5},
    {"members": 1},
    {"noise": 30.0, "members": 8},
    {"mean": make_mean("geometric", np.uint8)},
    {"mean": make_mean("logit", np.uint8)},
    {"dtype": np.float16, "mean": make_mean("arithmetic", np.float16)},
]


def slow_measures(oof_source, shares, thresholds):
    """Counts of every image from whole decisions by the kernel."""
    return np.stack(
        [
            counts(
                decide(oof_source.maps(id), shares / ONE, thresholds, mean=oof_source.mean),
                oof_source.truth(id),
            )
            for id in oof_source.ids
        ]
    )


@pytest.mark.parametrize("case", CASES, ids=str)
def test_counts_equal_those_of_whole_decisions(case, tmp_path):
    data = source(**case)
    oof = find_disputed(data, tmp_path)
    assert 0 < oof.share < 1
    rng = np.random.default_rng(0)
    for _ in range(8):
        shares = integer_weights(rng.dirichlet(np.full(len(data.names), 0.5)))
        levels = rng.integers(0, len(oof.grid), (4, oof.classes))
        levels[0], levels[1] = 0, len(oof.grid) - 1
        measured = oof.weigh(shares)(levels)
        for row, found in zip(levels, measured, strict=True):
            assert (found == slow_measures(data, shares, oof.grid[row])).all()


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_search_over_disputed_pixels_equals_the_search_over_all(case, tmp_path):
    data = source(**case)
    pruned, full = find_disputed(data, tmp_path), find_disputed(data, tmp_path, prune=False)
    assert full.share == 1 and not full.base.any()
    for name in ("dice", "global_dice", "tgs"):
        metric = get_metric(name)
        assert search_blend(pruned, metric) == search_blend(full, metric)


def test_an_undisputed_pixel_is_one_that_no_vertex_of_the_choices_changes(tmp_path):
    """Convexity: if no single member at either bound differs, nothing between does."""
    data = source(members=4, noise=5.0)
    oof = find_disputed(data, tmp_path, (0.3, 0.6))
    for row, id in enumerate(data.ids):
        stack = np.stack(data.maps(id))
        low, high = (stack >= bound * 255 for bound in (oof.grid[0], oof.grid[-1]))
        undecided = ~(high.all(axis=0) | ~low.any(axis=0))
        assert undecided.sum() == oof.blocks.lengths[row].sum()


def test_select_is_the_same_as_gathering_only_those_images(tmp_path):
    data = source(images=7, classes=2)
    rows = np.array([5, 0, 3])
    chosen = find_disputed(data, tmp_path).select(rows)
    alone = find_disputed(replace(data, ids=tuple(data.ids[row] for row in rows)), tmp_path)
    shares, levels = integer_weights([1, 2, 3]), np.array([[10, 200], [300, 40]])
    assert (chosen.weigh(shares)(levels) == alone.weigh(shares)(levels)).all()
    assert chosen.images == 3


def test_void_pixels_are_counted_nowhere(tmp_path):
    data = source(void=True)
    oof = find_disputed(data, tmp_path)
    valid = [data.truth(id).valid.sum() for id in data.ids]
    for measured in oof.weigh(integer_weights([1, 1, 1]))(np.array([[0], [99]])):
        assert (measured.sum(axis=(1, 2)) == valid).all()


def test_images_without_a_disputed_pixel_and_empty_and_full_truths(tmp_path):
    planes = [np.zeros((1, 5, 6), np.uint8), np.ones((1, 5, 6), np.uint8)]
    maps = {"empty": [planes[0]] * 2, "full": [planes[1] * 255] * 2}
    truths = {"empty": Truth(planes[0]), "full": Truth(planes[1])}
    oof = find_disputed(
        OofSource(("a", "b"), ("empty", "full"), maps.__getitem__, truths.__getitem__), tmp_path
    )
    assert oof.share == 0
    assert search_blend(oof, get_metric("dice")).score == 1
    assert list(oof.error_correlations(integer_weights([1, 1]))) == [0, 0]


def test_counts_do_not_depend_on_the_number_of_threads(tmp_path, monkeypatch):
    data = source(images=9, size=(120, 110), noise=9.0)
    shares, levels = integer_weights([3, 1, 1]), np.arange(0, 400, 7)[:, None]
    oof = find_disputed(data, tmp_path)
    assert oof.blocks.lengths.sum() > 1 << 16, "large enough to be cut into parts"
    expected = oof.weigh(shares)(levels), oof.error_correlations(shares)
    for count in (1, 5):
        monkeypatch.setattr(threads, "thread_count", lambda count=count: count)
        again = find_disputed(data, tmp_path)
        assert (again.weigh(shares)(levels) == expected[0]).all()
        assert (again.error_correlations(shares) == expected[1]).all()


def test_error_correlations_are_pearsons_over_the_disputed_pixels(tmp_path):
    data = source(members=3, classes=2)
    oof = find_disputed(data, tmp_path, prune=False)
    weights = np.array([0.5, 0.25, 0.25])
    errors, blended = [[], [], []], []
    for id in data.ids:
        truth = data.truth(id).planes.astype(float)
        blended.append((blend(data.maps(id), weights) - truth).ravel())
        for own, values in zip(errors, data.maps(id), strict=True):
            own.append((values / 255 - truth).ravel())
    expected = [np.corrcoef(np.concatenate(own), np.concatenate(blended))[0, 1] for own in errors]
    assert np.abs(oof.error_correlations(integer_weights(weights)) - expected).max() < 1e-5
