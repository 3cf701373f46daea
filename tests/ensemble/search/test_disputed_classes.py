"""The same exactness where one class a pixel wins."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pipeline.ensemble.blending.fixed_point import ONE, integer_weights
from pipeline.ensemble.blending.kernel import decide
from pipeline.ensemble.blending.means import make_mean
from pipeline.ensemble.search.disputed_classes import RATIO_GRID, find_disputed_classes
from pipeline.ensemble.search.weights import search_blend
from pipeline.metrics import counts, get_metric
from tests.helpers.synthetic_members import source

CASES = [
    {"classes": 3},
    {"classes": 2, "members": 5, "void": True},
    {"classes": 4, "dtype": np.uint16, "noise": 4.0},
    {"classes": 3, "members": 1},
    {"classes": 3, "dtype": np.float16, "mean": make_mean("arithmetic", np.float16)},
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_counts_equal_those_of_whole_decisions(case, tmp_path):
    data = source(multiclass=True, **case)
    oof = find_disputed_classes(data, tmp_path)
    assert 0 < oof.share < 1
    rng = np.random.default_rng(1)
    for _ in range(8):
        shares = integer_weights(rng.dirichlet(np.full(len(data.names), 0.5)))
        levels = rng.integers(0, len(RATIO_GRID), (5, oof.classes))
        for row, found in zip(levels, oof.weigh(shares)(levels), strict=True):
            for image, id in enumerate(data.ids):
                decided = decide(
                    data.maps(id), shares / ONE, oof.grid[row], multiclass=True, mean=data.mean
                )
                assert (found[image] == counts(decided, data.truth(id))).all()


@pytest.mark.parametrize("classes", [2, 3, 5])
def test_a_class_swept_alone_is_counted_like_each_choice_by_itself(classes, tmp_path):
    """Coarse numbers, so that sums are often equal, and zero; every class is swept."""
    data = source(multiclass=True, classes=classes, members=2)
    read = data.maps
    data = replace(data, maps=lambda id: [values // 64 * 64 for values in read(id)])
    oof = find_disputed_classes(data, tmp_path, prune=False)
    measure = oof.weigh(integer_weights([1, 1]))
    for plane in range(classes):
        levels = np.full((len(RATIO_GRID), classes), 4)
        levels[:, plane] = np.arange(len(levels))
        swept, apart = measure(levels), [measure(row[None])[0] for row in levels]
        assert (swept == np.stack(apart)).all()


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_search_over_disputed_pixels_equals_the_search_over_all(case, tmp_path):
    data = source(multiclass=True, **case)
    pruned = find_disputed_classes(data, tmp_path)
    full = find_disputed_classes(data, tmp_path, prune=False)
    assert full.share == 1
    metric = get_metric("mean_iou")
    assert search_blend(pruned, metric) == search_blend(full, metric)


def test_select_takes_the_images_in_the_order_asked_for(tmp_path):
    oof = find_disputed_classes(source(multiclass=True, classes=3), tmp_path)
    shares, levels, rows = integer_weights([1, 2, 3]), np.array([[4, 4, 4], [0, 8, 3]]), [4, 1]
    assert (oof.select(rows).weigh(shares)(levels) == oof.weigh(shares)(levels)[:, rows]).all()


def test_all_thresholds_equal_is_the_plain_argmax(tmp_path):
    oof = find_disputed_classes(source(multiclass=True, classes=3), tmp_path)
    levels = np.repeat(np.arange(len(RATIO_GRID))[:, None], 3, axis=1)
    measured = oof.weigh(integer_weights([1, 1, 1]))(levels)
    assert (measured == measured[oof.start]).all()
    assert oof.grid[oof.start] == 0.5


def test_error_correlation_of_a_single_member_with_itself_is_one(tmp_path):
    oof = find_disputed_classes(source(multiclass=True, classes=3), tmp_path)
    found = oof.error_correlations(integer_weights([0, 1, 0]))
    assert found[1] == pytest.approx(1) and (found[[0, 2]] < 1).all()
