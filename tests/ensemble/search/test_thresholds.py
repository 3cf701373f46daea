"""Which thresholds win: a half, the middle of the plateau, or the searched ones."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pipeline.data.ground_truth import Truth
from pipeline.ensemble.search.disputed_pixels import find_disputed
from pipeline.ensemble.search.evidence import Evidence
from pipeline.ensemble.search.nested import Procedure
from pipeline.ensemble.search.oof_pixels import gather
from pipeline.ensemble.search.threshold_grid import nearest_levels
from pipeline.ensemble.search.thresholds import plateau_levels, simplest
from pipeline.ensemble.search.weights import Choice, search_blend, search_choice
from pipeline.metrics import get_metric
from tests.helpers.synthetic_members import source

DICE = get_metric("dice")


def outcome_of(data, tmp_path, folds=3, metric=DICE):
    count = len(data.ids)
    evidence = Evidence(gather(data, metric, tmp_path), np.arange(count) % folds, np.arange(count))
    return Procedure(evidence, metric).run(lambda fold, rule: "search")


def darkened(data, power):
    """The same maps from members that are too timid: their best threshold is low."""
    return replace(
        data,
        maps=lambda id: [
            np.rint((each / 255.0) ** power * 255).astype(np.uint8) for each in data.maps(id)
        ],
    )


def fickle(seed, images=12):
    """Each image has a threshold of its own; what a few images like, the others do not.

    One pixel in a hundred decides it, so that the searched threshold is luck; a half is never bad.
    """
    rng = np.random.default_rng(seed)
    maps, truths = {}, {}
    for number in range(images):
        value = rng.integers(20, 236)
        plane = np.zeros((20, 20), np.uint8)
        plane[:10, :10] = 250
        plane[10:, 10:] = value
        truth = np.zeros((20, 20), np.uint8)
        truth[:10, :10] = 1
        truth[10:, 10:] = rng.integers(0, 2)
        maps[f"i{number}"], truths[f"i{number}"] = [plane[None]], Truth(truth[None])
    return replace(source(images=1), names=("m",), ids=tuple(maps), maps=maps.__getitem__,
                   truth=truths.__getitem__)  # fmt: skip


def test_a_searched_threshold_that_only_fits_its_images_loses_to_a_half(tmp_path):
    """The fault: adopted for its tuned score, although nested it is below 0.5."""
    seen = 0
    for seed in range(8):
        data = fickle(seed)
        outcome = outcome_of(data, tmp_path)
        oof = find_disputed(data, tmp_path)
        tuned = search_blend(oof, DICE).score
        half = search_blend(oof, DICE, "search", [0.5]).score
        if tuned > half + 0.01 and outcome.whole.rule_scores["searched"] < half:
            seen += 1
            assert outcome.whole.rule == "half" and outcome.whole.blend.thresholds == (0.5,)
            assert outcome.score == half, "as if 0.5 had been given"
    assert seen >= 2


@pytest.mark.parametrize("metric", ["dice", "pixel_accuracy"])
def test_a_threshold_that_helps_everywhere_is_found(metric, tmp_path):
    data = darkened(source(1, images=12, members=2, size=(30, 30)), 4)
    outcome = outcome_of(data, tmp_path, metric=get_metric(metric))
    assert outcome.whole.rule != "half"
    assert outcome.whole.blend.thresholds[0] < 0.35
    assert outcome.nested.score > outcome.whole.rule_scores["half"] + 0.02


def test_of_multiclass_classes_the_argmax_wins_unless_another_choice_is_better_for_sure(tmp_path):
    metric = get_metric("mean_iou")
    fair = source(2, images=9, classes=3, multiclass=True)
    outcome = outcome_of(fair, tmp_path, metric=metric)
    assert len(set(outcome.whole.blend.thresholds)) == 1

    def biased(id):
        return [np.stack([each[0] // 3, *each[1:]]) for each in fair.maps(id)]

    outcome = outcome_of(replace(fair, maps=biased), tmp_path, metric=metric)
    first, *others = outcome.whole.blend.thresholds
    assert outcome.whole.rule != "half" and first < min(others) / 1.5


def test_the_plateau_is_where_no_difference_can_be_told(tmp_path):
    """All pixels lie below 60 or above 200: one plateau, and its middle, wherever one starts."""
    data = source(3, images=8, members=1)

    def maps(id):
        return [np.where(each > 127, 201, 60).astype(np.uint8) for each in data.maps(id)]

    evidence = Evidence(find_disputed(replace(data, maps=maps), tmp_path), np.arange(8) % 2,
                        np.arange(8))  # fmt: skip
    found = search_choice(evidence.oof, DICE, "equal", "search")
    for start in (0.3, 0.5, 0.7):
        levels = nearest_levels(evidence.oof.grid, [start], 1)
        middle = plateau_levels(evidence, DICE, Choice(found.shares, levels, found.score))
        assert evidence.oof.grid[middle[0]] == pytest.approx((61 + 201) / 2 / 255, abs=0.01)


def test_a_plateau_holds_its_best_level_and_never_leaves_the_grid(tmp_path):
    for seed in range(4):
        data = source(seed, images=8, classes=2, noise=4.0)
        evidence = Evidence(find_disputed(data, tmp_path), np.arange(8) % 2, np.arange(8) // 2)
        best = search_choice(evidence.oof, DICE, "equal", "search")
        middle = plateau_levels(evidence, DICE, best)
        assert ((middle >= 0) & (middle < len(evidence.oof.grid))).all()
        score = search_blend(evidence.oof, DICE, "equal", evidence.oof.grid[middle].tolist()).score
        assert best.score - 0.1 < score <= best.score + 1e-12


def counts_of(scores):
    hit = np.rint(np.asarray(scores) * 1000).astype(np.int64)
    return np.stack([hit, 1000 - hit, 1000 - hit, hit * 0], axis=-1)[:, None]


def test_the_simplest_rule_within_one_standard_error_of_the_best_wins():
    rng, groups = np.random.default_rng(0), np.arange(40)
    base, noise = rng.uniform(0.2, 0.8, 40), rng.normal(0, 0.02, 40)
    noise -= noise.mean()
    error = noise.std() / np.sqrt(39)
    for gain, expected in [(0.5, "half"), (1.5, "searched"), (-1.0, "half")]:
        better = counts_of(base + noise + gain * error)
        nested = {"half": counts_of(base), "searched": better}
        assert simplest(DICE, groups, nested) == expected, gain
    even = {"half": counts_of(base - 0.01), "plateau": counts_of(base), "searched": counts_of(base)}
    assert simplest(DICE, groups, even) == "plateau"


def test_images_of_one_group_do_not_make_a_gain_sure():
    """Ten copies of four images: the error is that of four."""
    base = np.full(40, 0.5)
    gain = np.repeat([0.2, -0.1, 0.05, -0.05], 10)
    nested = {"half": counts_of(base), "searched": counts_of(base + gain)}
    assert simplest(DICE, np.arange(40) // 10, nested) == "half"
    assert simplest(DICE, np.arange(40), nested) == "searched"
