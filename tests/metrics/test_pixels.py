"""Each score of pixels against its definition in loops, and against public libraries."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from sklearn.metrics import accuracy_score, f1_score, fbeta_score, jaccard_score

from pipeline.data.ground_truth import Truth
from pipeline.metrics import get_metric
from pipeline.metrics.metric import Metric
from tests.helpers.metric_pictures import Case, batches, case, slow_counts

Table = list[list[int]]
TENTHS = [50, 55, 60, 65, 70, 75, 80, 85, 90, 95]


def slow_f(tp: int, fp: int, fn: int, beta: float) -> float:
    if tp + fp + fn == 0:
        return 1.0
    if tp == 0:
        return 0.0
    precision, recall = tp / (tp + fp), tp / (tp + fn)
    return (1 + beta**2) * precision * recall / (beta**2 * precision + recall)


def slow_iou(tp: int, fp: int, fn: int) -> float:
    return tp / (tp + fp + fn) if tp + fp + fn else 1.0


def slow_tgs(tp: int, fp: int, fn: int) -> float:
    if tp + fn == 0:
        return float(fp == 0)
    return sum(100 * tp > t * (tp + fp + fn) for t in TENTHS) / len(TENTHS)


def mean_over_pairs(score: Callable[[int, int, int], float]) -> Callable[[list[Table]], float]:
    """The mean over every (image, class)."""

    def slow(tables: list[Table]) -> float:
        scores = [score(*row[:3]) for table in tables for row in table]
        return sum(scores) / len(scores)

    return slow


def slow_mean_iou(tables: list[Table]) -> float:
    scores = []
    for rows in zip(*tables, strict=True):
        tp, fp, fn, _ = (sum(column) for column in zip(*rows, strict=True))
        if tp + fp + fn:
            scores.append(tp / (tp + fp + fn))
    return sum(scores) / len(scores) if scores else 1.0


def slow_pooled_f(beta: float) -> Callable[[list[Table]], float]:
    def slow(tables: list[Table]) -> float:
        rows = [row for table in tables for row in table]
        tp, fp, fn, _ = (sum(column) for column in zip(*rows, strict=True))
        return slow_f(tp, fp, fn, beta)

    return slow


def slow_by_class(
    score: Callable[[int, int, int], tuple[float, float]],
) -> Callable[[list[Table]], float]:
    """The weighted mean of (score, weight) over the classes that are true somewhere."""

    def slow(tables: list[Table]) -> float:
        rows = [[sum(column) for column in zip(*each, strict=True)]
                for each in zip(*tables, strict=True)]  # fmt: skip
        if not any(tp + fn for tp, _, fn, _ in rows):
            return float(not any(tp + fp for tp, fp, _, _ in rows))
        parts = [score(tp, fp, fn) for tp, fp, fn, _ in rows if tp + fn]
        return sum(value * weight for value, weight in parts) / sum(weight for _, weight in parts)

    return slow


REFERENCES: dict[str, tuple[Metric, Callable[[list[Table]], float]]] = {
    "dice": (get_metric("dice"), mean_over_pairs(lambda *c: slow_f(*c, beta=1))),
    "iou": (get_metric("iou"), mean_over_pairs(slow_iou)),
    "tgs": (get_metric("tgs"), mean_over_pairs(slow_tgs)),
    "global_dice": (get_metric("global_dice"), slow_pooled_f(1.0)),
    "f0.5": (get_metric("fbeta", beta=0.5), slow_pooled_f(0.5)),
    "f2": (get_metric("fbeta", beta=2), slow_pooled_f(2.0)),
    "mean_iou": (get_metric("mean_iou"), slow_mean_iou),
    "class_accuracy": (
        get_metric("class_accuracy"),
        slow_by_class(lambda tp, fp, fn: (tp / (tp + fn), 1)),
    ),
    "frequency_weighted_iou": (
        get_metric("frequency_weighted_iou"),
        slow_by_class(lambda tp, fp, fn: (slow_iou(tp, fp, fn), tp + fn)),
    ),
}


def score(metric: Metric, batch: list[Case]) -> float:
    return float(metric.aggregate(np.stack([metric.measure(*one) for one in batch])))


@pytest.mark.parametrize("name", REFERENCES)
@settings(deadline=None, max_examples=40)
@given(batch=batches())
def test_score_is_its_definition_in_loops(name: str, batch: list[Case]) -> None:
    metric, slow = REFERENCES[name]
    assert metric.from_counts
    assert score(metric, batch) == pytest.approx(
        slow([slow_counts(*one) for one in batch]), abs=1e-12
    )


@settings(deadline=None, max_examples=40)
@given(batches())
def test_pixel_accuracy_is_the_share_of_pixels_with_all_classes_right(batch: list[Case]) -> None:
    right = pixels = 0
    for decision, truth in batch:
        for row, column in np.ndindex(*truth.size):
            if truth.valid is None or truth.valid[row, column]:
                pixels += 1
                right += (decision[:, row, column] == truth.planes[:, row, column]).all()
    assert score(get_metric("pixel_accuracy"), batch) == (right / pixels if pixels else 1.0)


EMPTY, FULL = np.zeros((1, 4, 5), bool), np.ones((1, 4, 5), bool)
ALL = [*sorted(set(REFERENCES) - {"f0.5", "f2"}), "pixel_accuracy"]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", ALL)
def test_rule_of_empty_and_full(name: str) -> None:
    for decision, true, expected in [
        (EMPTY, EMPTY, 1.0),
        (EMPTY, FULL, 0.0),
        (FULL, EMPTY, 0.0),
        (FULL, FULL, 1.0),
    ]:
        assert score(get_metric(name), [(decision, Truth(true.astype(np.uint8)))]) == expected


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", ALL)
def test_an_image_that_is_void_everywhere_is_right(name: str) -> None:
    truth = Truth(np.ones((1, 4, 5), np.uint8), np.zeros((4, 5), bool))
    assert score(get_metric(name), [(EMPTY, truth)]) == 1.0


def test_empty_images_count_one_in_mean_dice_and_nothing_in_global_dice() -> None:
    half = FULL.copy()
    half[:, :, 1:] = False
    batch = [(half, Truth(FULL.astype(np.uint8))), (EMPTY, Truth(EMPTY.astype(np.uint8)))]
    alone = 2 * 4 / (4 + 20)
    assert score(get_metric("global_dice"), batch) == pytest.approx(alone)
    assert score(get_metric("dice"), batch) == pytest.approx((alone + 1) / 2)


def test_tgs_at_the_very_threshold() -> None:
    """IoU 0.6 is above 0.50 and 0.55, not above 0.60: two of ten."""
    true, decision = np.zeros((1, 1, 10), bool), np.zeros((1, 1, 10), bool)
    true[..., :10], decision[..., :6] = True, True
    assert score(get_metric("tgs"), [(decision, Truth(true.astype(np.uint8)))]) == 0.2


def flat(batch: list[Case]) -> tuple[np.ndarray, np.ndarray]:
    """Valid pixels of all images as rows of classes: truth, decision."""
    rows = []
    for decision, truth in batch:
        valid = np.ones(truth.size, bool) if truth.valid is None else truth.valid
        rows.append((truth.planes[:, valid].T, decision[:, valid].T.astype(np.uint8)))
    return np.concatenate([r[0] for r in rows]), np.concatenate([r[1] for r in rows])


def random_batch(seed: int, classes: int = 3, void: bool = True) -> list[Case]:
    generator = np.random.default_rng(seed)
    return [case(generator, (classes, 17, 23), void=void) for _ in range(4)]


@pytest.mark.parametrize("seed", range(8))
def test_scikit_learn_agrees(seed: int) -> None:
    batch = random_batch(seed)
    true, decided = flat(batch)
    for beta in (0.5, 1.0, 2.0):
        other = fbeta_score(true, decided, beta=beta, average="micro", zero_division=1)
        assert score(get_metric("fbeta", beta=beta), batch) == pytest.approx(other)
    other = f1_score(true.reshape(-1), decided.reshape(-1), zero_division=1)
    assert score(get_metric("global_dice"), batch) == pytest.approx(other)
    assert score(get_metric("pixel_accuracy"), batch) == pytest.approx(
        accuracy_score(true, decided)
    )


@pytest.mark.parametrize("seed", range(8))
def test_scikit_learn_agrees_image_by_image(seed: int) -> None:
    batch = random_batch(seed, void=False)
    pairs = [flat([one]) for one in batch]
    dice = [f1_score(*pair, average=None, zero_division=1) for pair in pairs]
    iou = [jaccard_score(*pair, average=None, zero_division=1) for pair in pairs]
    assert score(get_metric("dice"), batch) == pytest.approx(np.mean(dice))
    assert score(get_metric("iou"), batch) == pytest.approx(np.mean(iou))


@pytest.mark.parametrize("seed", range(8))
def test_scikit_learn_agrees_on_f_beta(seed: int) -> None:
    batch = random_batch(seed)
    true, decided = (rows.T for rows in flat(batch))
    other = fbeta_score(true, decided, beta=0.5, average="micro", zero_division=1)
    assert score(get_metric("fbeta", beta=0.5), batch) == pytest.approx(other)


@pytest.mark.parametrize("seed", range(8))
def test_scikit_learn_agrees_on_mean_iou_with_void(seed: int) -> None:
    """Exclusive classes, some of which neither side has; a tenth of the pixels void."""
    generator = np.random.default_rng(seed)
    true, noise = generator.choice([0, 1, 2, 4], (5, 13, 11)), generator.integers(0, 4, (5, 13, 11))
    decided = np.where(generator.random(true.shape) < 0.6, true, noise)
    void = generator.random(true.shape) < 0.1
    classes = np.arange(7)[:, None, None]
    batch = [
        (classes == d, Truth((classes == t).astype(np.uint8), ~v))
        for d, t, v in zip(decided, true, void, strict=True)
    ]
    other = jaccard_score(true[~void], decided[~void], average="macro")
    assert score(get_metric("mean_iou"), batch) == pytest.approx(float(other))
    accuracy = accuracy_score(true[~void], decided[~void])
    assert score(get_metric("pixel_accuracy"), batch) == pytest.approx(accuracy)
