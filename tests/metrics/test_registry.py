"""What holds for every metric of the registry, and the names it refuses."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import given, settings

from pipeline.data.ground_truth import Truth
from pipeline.errors import ConfigError
from pipeline.metrics import METRICS, get_metric
from pipeline.metrics.counts import counts
from pipeline.metrics.metric import Metric
from tests.helpers.metric_pictures import Case, batches, case


def metric_of(name: str) -> Metric:
    return get_metric(name, **({"beta": 0.5} if name == "fbeta" else {}))


def statistics(metric: Metric, batch: list[Case]) -> np.ndarray:
    return np.stack([metric.measure(*one) for one in batch])


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", METRICS)
@settings(deadline=None, max_examples=25)
@given(batch=batches(instances=True))
def test_scores_are_finite_and_between_zero_and_one(name: str, batch: list[Case]) -> None:
    metric = metric_of(name)
    table = statistics(metric, batch)
    assert table.dtype == np.int64
    scores = np.append(metric.per_image(table), metric.aggregate(table))
    assert ((scores >= 0) & (scores <= 1)).all()


@pytest.mark.parametrize("name", METRICS)
def test_leading_axes_score_like_a_loop(name: str) -> None:
    """Measures (3, 2, images, …): say thresholds × folds."""
    generator, metric = np.random.default_rng(1), metric_of(name)
    images = [case(generator, (2, 9, 8), void=True, instances=True) for _ in range(30)]
    table = statistics(metric, images)
    stacked = table.reshape(3, 2, 5, *table.shape[1:])
    assert metric.aggregate(stacked).shape == (3, 2)
    assert metric.per_image(stacked).shape == (3, 2, 5)
    for outer, inner in np.ndindex(3, 2):
        some = stacked[outer, inner]
        assert metric.aggregate(stacked)[outer, inner] == metric.aggregate(some)
        assert np.array_equal(metric.per_image(stacked)[outer, inner], metric.per_image(some))


@pytest.mark.parametrize("name", METRICS)
def test_an_image_alone_scores_its_own_value(name: str) -> None:
    generator, metric = np.random.default_rng(2), metric_of(name)
    images = [case(generator, (3, 7, 9), void=False, instances=True) for _ in range(20)]
    table = statistics(metric, images)
    alone = [metric.aggregate(table[i : i + 1]) for i in range(20)]
    assert np.allclose(metric.per_image(table), alone, atol=0)
    assert len(set(map(float, alone))) > 3


@pytest.mark.parametrize("name", METRICS)
def test_the_truth_itself_scores_one_and_order_does_not_matter(name: str) -> None:
    generator, metric = np.random.default_rng(3), metric_of(name)
    images = [case(generator, (2, 9, 8), void=True, instances=True) for _ in range(12)]
    perfect = [(truth.instances, truth) for _, truth in images]
    assert metric.aggregate(statistics(metric, perfect)) == 1.0
    table = statistics(metric, images)
    assert metric.aggregate(table[::-1]) == pytest.approx(float(metric.aggregate(table)))


@pytest.mark.parametrize("name", METRICS)
def test_a_metric_knows_its_name_and_its_rule(name: str) -> None:
    metric = metric_of(name)
    assert metric.name == name
    assert "mpty" in (METRICS[name][2].__doc__ or "")


@pytest.mark.parametrize("name", METRICS)
def test_from_counts_is_said_of_those_that_measure_counts(name: str) -> None:
    decision, truth = case(np.random.default_rng(4), (2, 9, 8), void=True, instances=True)
    metric = pickle.loads(pickle.dumps(metric_of(name)))  # as it comes to a worker
    same = np.array_equal(metric.measure(decision, truth), counts(decision, truth))
    assert metric.from_counts == same


@pytest.mark.parametrize("name", METRICS)
def test_no_images_have_no_score(name: str) -> None:
    metric = metric_of(name)
    instances = np.zeros((1, 2, 2), np.int32)
    table = metric.measure(instances > 0, Truth(instances.astype(np.uint8), None, instances))
    with pytest.raises(AssertionError, match="no images"):
        metric.aggregate(table[None][:0])


def test_an_unknown_name_is_refused_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"unknown metric 'dise'; the nearest names are dice"):
        get_metric("dise")
    with pytest.raises(ConfigError, match=r"unknown metric 'zzz'; the nearest"):
        get_metric("zzz")


def test_wrong_options_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"metric fbeta: missing a required .*'beta'"):
        get_metric("fbeta")
    with pytest.raises(ConfigError, match=r"metric dice: got an unexpected .*'beta'"):
        get_metric("dice", beta=1)
    for beta in (0, -1, float("nan"), float("inf"), 1e200, "2"):
        with pytest.raises(ConfigError, match="metric fbeta: beta must be a number above 0"):
            get_metric("fbeta", beta=beta)  # type: ignore[arg-type]
