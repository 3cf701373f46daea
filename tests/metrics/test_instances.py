"""Scores of objects against pairwise loops over sets of pixels, and pycocotools' overlaps."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from numpy.typing import NDArray
from pycocotools import mask as coco
from scipy import ndimage

from pipeline.data.ground_truth import Truth
from pipeline.errors import DataError
from pipeline.metrics import get_metric
from pipeline.metrics.instances import overlaps
from tests.helpers.metric_pictures import Case, batches

HUNDREDTHS = [50, 55, 60, 65, 70, 75, 80, 85, 90, 95]
NAMES = ("dsb", "airbus")


def pixel_sets(labels: NDArray[np.int32], valid: NDArray[np.bool_] | None) -> list[set[int]]:
    kept = labels if valid is None else np.where(valid, labels, 0)
    return [set(np.flatnonzero(kept == n).tolist()) for n in np.unique(kept) if n]


def slow_matches(predicted: list[set[int]], true: list[set[int]], t: int) -> tuple[int, int, int]:
    """Found, invented, missed objects at one threshold of t hundredths."""
    found = sum(any(100 * len(p & q) > t * len(p | q) for p in predicted) for q in true)
    return found, len(predicted) - found, len(true) - found


def slow_dsb(tp: int, fp: int, fn: int) -> float:
    return tp / (tp + fp + fn) if tp + fp + fn else 1.0


def slow_airbus(tp: int, fp: int, fn: int) -> float:
    if tp + fn == 0:
        return float(fp == 0)
    return 5 * tp / (5 * tp + 4 * fn + fp)


def slow_score(name: str, batch: list[Case]) -> float:
    scores = []
    for decision, truth in batch:
        assert truth.instances is not None
        for decided, true in zip(decision, truth.instances, strict=True):
            labels = ndimage.label(decided, np.ones((3, 3)))[0]
            objects = pixel_sets(labels, truth.valid), pixel_sets(true, truth.valid)
            slow = slow_dsb if name == "dsb" else slow_airbus
            scores += [slow(*slow_matches(*objects, t)) for t in HUNDREDTHS]
    return sum(scores) / len(scores)


def score(name: str, batch: list[Case]) -> float:
    metric = get_metric(name)
    return float(metric.aggregate(np.stack([metric.measure(*one) for one in batch])))


@pytest.mark.parametrize("name", NAMES)
@settings(deadline=None, max_examples=60)
@given(batch=batches(instances=True, most_classes=2))
def test_score_is_its_definition_in_loops(name: str, batch: list[Case]) -> None:
    assert not get_metric(name).from_counts
    assert score(name, batch) == pytest.approx(slow_score(name, batch), abs=1e-12)


@settings(deadline=None, max_examples=20)
@given(batches(instances=True))
def test_given_labels_score_like_the_components_they_are(batch: list[Case]) -> None:
    for decision, truth in batch:
        labels = np.stack([ndimage.label(plane, np.ones((3, 3)))[0] for plane in decision])
        labels[labels > 0] += 7  # gaps in the numbers are no objects
        for name in NAMES:
            assert score(name, [(labels.astype(np.int32), truth)]) == score(
                name, [(decision, truth)]
            )


@pytest.mark.parametrize("seed", range(5))
def test_overlaps_are_those_of_pycocotools(seed: int) -> None:
    generator = np.random.default_rng(seed)
    predicted, true = generator.integers(0, 6, (2, 20, 30)).astype(np.int32)
    shared = overlaps(predicted, true).toarray()[1:, 1:]
    areas = [np.bincount(labels.reshape(-1))[1:] for labels in (true, predicted)]
    union = np.add.outer(*areas) - shared
    rles = [
        coco.encode(np.asfortranarray((labels[..., None] == np.arange(1, 6)).astype(np.uint8)))
        for labels in (true, predicted)
    ]
    assert shared / union == pytest.approx(coco.iou(*rles, [0] * 5))


def two_squares() -> tuple[NDArray[np.bool_], Truth]:
    """Two true objects, the first found exactly, the second by IoU 12 / 16 = 0.75."""
    instances = np.zeros((1, 10, 12), np.int32)
    instances[0, 1:5, 1:5] = 1
    instances[0, 5:9, 5:9] = 2
    decision = instances == 1
    decision[0, 5:8, 6:9] = True
    decision[0, 5:8, 5] = True
    return decision, Truth((instances > 0).astype(np.uint8), None, instances)


def test_by_hand_with_touching_corners_parted_by_labels() -> None:
    """By components the corners join: one object, no match above 16 / 28. By labels: 1.5 of 2."""
    decision, truth = two_squares()
    assert truth.instances is not None
    labels = np.where(decision, truth.instances, 0).astype(np.int32)
    half_found = 1 / 3  # one found, one invented, one missed
    assert score("dsb", [(labels, truth)]) == pytest.approx((5 * 1.0 + 5 * half_found) / 10)
    assert score("airbus", [(labels, truth)]) == pytest.approx((5 * 1.0 + 5 * 5 / 10) / 10)
    assert score("dsb", [(decision, truth)]) == pytest.approx(2 * (1 / 2) / 10)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", NAMES)
def test_rule_of_empty(name: str) -> None:
    none = np.zeros((1, 6, 6), np.int32)
    one = none.copy()
    one[0, 2:4, 2:4] = 1
    for decision, true, expected in [
        (none, none, 1),
        (one, none, 0),
        (none, one, 0),
        (one, one, 1),
    ]:
        truth = Truth((true > 0).astype(np.uint8), None, true)
        assert score(name, [(decision > 0, truth)]) == expected


@pytest.mark.parametrize("name", NAMES)
def test_an_object_in_void_is_neither_invented_nor_missed(name: str) -> None:
    decision, truth = two_squares()
    valid = np.zeros(truth.size, bool)
    valid[:5, :5] = True
    assert score(name, [(decision, Truth(truth.planes, valid, truth.instances))]) == 1.0


@pytest.mark.parametrize("name", NAMES)
def test_data_without_objects_is_refused(name: str) -> None:
    decision, truth = two_squares()
    with pytest.raises(DataError, match=r"scores objects, and the data has only masks: give one"):
        get_metric(name).measure(decision, Truth(truth.planes))
