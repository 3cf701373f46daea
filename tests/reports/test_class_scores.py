"""Scores class by class against plain arithmetic on whole pictures."""

from __future__ import annotations

import json

import numpy as np
import pytest

from pipeline.data.ground_truth import Truth
from pipeline.metrics import get_metric
from pipeline.reports.class_scores import (
    ClassScores,
    confusion_table,
    count_image,
    object_table,
    score_table,
)

CLASSES = ["sky", "car", "tree"]


def multiclass(
    seed: int, void: bool = False
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None, Truth]:
    random = np.random.default_rng(seed)
    true, decided = random.integers(0, 3, (2, 9, 7))
    valid = random.random((9, 7)) > 0.2 if void else None
    planes = (true == np.arange(3)[:, None, None]).astype(np.uint8)
    return true, decided, valid, Truth(planes, valid)


def scores(void: bool) -> tuple[ClassScores, np.ndarray]:
    """Scores of four images, and the confusion that a loop over pixels finds."""
    expected = np.zeros((3, 3), int)
    every = []
    for seed in range(4):
        true, decided, valid, truth = multiclass(seed, void)
        every.append(count_image(decided == np.arange(3)[:, None, None], truth, True))
        for at in np.ndindex(true.shape):
            if valid is None or valid[at]:
                expected[true[at], decided[at]] += 1
    return ClassScores.of(CLASSES, every), expected


@pytest.mark.parametrize("void", [False, True])
def test_confusions_and_scores_are_those_of_a_loop_over_pixels(void: bool) -> None:
    found, expected = scores(void)
    assert found.confusion is not None and found.confusion.tolist() == expected.tolist()
    for number, row in enumerate(score_table(found).rows):
        hits, actual, decided = (
            expected[number, number], expected[number].sum(), expected[:, number].sum()
        )  # fmt: skip
        expected_scores = [2 * hits / (actual + decided), hits / (actual + decided - hits)]
        expected_scores += [hits / decided, hits / actual]
        assert [float(cell) for cell in row[3:]] == pytest.approx(expected_scores, abs=1e-5)


def test_dice_of_an_image_averages_to_the_metric() -> None:
    every, statistics, metric = [], [], get_metric("dice")
    for seed in range(5):
        _, decided, _, truth = multiclass(seed)
        decision = (decided == np.arange(3)[:, None, None]) & (seed > 0)  # one decides nothing
        every.append(count_image(decision, truth, False))
        statistics.append(metric.measure(decision, truth))
    found = ClassScores.of(CLASSES, every)
    assert np.mean(found.dice) == pytest.approx(float(metric.aggregate(np.stack(statistics))))
    assert found.confusion is None and found.objects is None


def test_a_class_that_is_nowhere_scores_one_and_divides_by_nothing() -> None:
    truth = Truth(np.zeros((1, 4, 4), np.uint8), None, np.zeros((1, 4, 4), np.int32))
    found = ClassScores.of(["car"], [count_image(np.zeros((1, 4, 4), bool), truth, False)])
    assert score_table(found).rows == [["car", "0", *["1.00000"] * 5]]
    assert found.objects is not None
    assert object_table(["car"], found.objects).rows == [["car", *["0"] * 5]]


def test_confusions_are_shares_of_the_row_also_of_a_class_without_pixels() -> None:
    table = confusion_table(["a", "b"], np.array([[3, 1], [0, 0]]))
    assert table.rows == [["a", "75.0%", "25.0%", "4"], ["b", "0.0%", "0.0%", "0"]]
    assert table.shade(0, 1) == 45 and table.shade(0, 0) == 0


@pytest.mark.parametrize("void", [False, True])
def test_what_is_kept_on_disk_is_what_was_counted(void: bool) -> None:
    found, _ = scores(void)
    kept = ClassScores.from_json(json.loads(json.dumps(found.as_json())))
    assert score_table(kept) == score_table(found)
    assert kept.confusion is not None and found.confusion is not None
    assert (kept.confusion == found.confusion).all() and kept.objects is None
