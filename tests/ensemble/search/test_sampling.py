"""Searches on a sample: they find as good a blend as searches on all, the same one every time."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pipeline.ensemble.blending import threads
from pipeline.ensemble.blending.fixed_point import ONE, integer_weights
from pipeline.ensemble.search import oof as oofs
from pipeline.ensemble.search import sampling, shared_counts, weights, whole_images
from pipeline.ensemble.search.disputed_pixels import find_disputed
from pipeline.ensemble.search.oof_pixels import gather
from pipeline.ensemble.search.weights import search_blend
from pipeline.metrics import get_metric
from tests.helpers.synthetic_members import source

DICE = get_metric("dice")


@pytest.fixture
def small(monkeypatch):
    """Bounds at which the data of a test is large."""
    monkeypatch.setattr(sampling, "SEARCHED_VALUES", 1000)
    monkeypatch.setattr(sampling, "SAMPLED_VALUES", 20_000)
    monkeypatch.setattr(sampling, "SAMPLED_IMAGES", 30)
    monkeypatch.setattr(sampling, "FEWEST_PIXELS", 8)


def members(seed, **options):
    return source(seed, **{"images": 40, "members": 4, "noise": 2.0, **options})


def test_below_the_bound_there_is_no_sample(tmp_path, monkeypatch):
    data = members(0)
    oof = gather(data, DICE, tmp_path)
    assert oof.sample is None
    size = int(oof.blocks.lengths.sum()) * 4
    monkeypatch.setattr(sampling, "SEARCHED_VALUES", size)
    assert gather(data, DICE, tmp_path).sample is None
    monkeypatch.setattr(sampling, "SEARCHED_VALUES", size - 1)
    assert gather(data, DICE, tmp_path).sample is not None


# the metric, the data, by how much the score may be lower: on average, and once
CASES = [
    ("dice", {}, 5e-4, 5e-3),
    ("global_dice", {"classes": 2, "dtype": np.uint16}, 5e-4, 5e-3),
    ("tgs", {"void": True}, 5e-3, 2e-2),  # of 40 images it moves in steps of 0.0025
    (
        "dice",
        {"classes": 3, "multiclass": True},
        4e-3,
        1.5e-2,
    ),  # nine thresholds, and 55 pixels an image
]


@pytest.mark.parametrize(("name", "options", "mean", "most"), CASES)
def test_a_sampled_search_reaches_the_score_of_an_exact_one(
    name, options, mean, most, tmp_path, small
):
    metric, gaps = get_metric(name), []
    for seed in range(4 if options.get("classes") else 10):
        oof = gather(members(seed, **options), metric, tmp_path)
        assert oof.sample is not None and oof.sample.oof.images == 30
        exact = search_blend(replace(oof, sample=None), metric).score
        gaps.append(exact - search_blend(oof, metric).score)
    assert np.mean(gaps) < mean and np.max(gaps) < most, gaps


@pytest.mark.parametrize("seed", range(4))
def test_the_blend_is_never_below_equal_weights_or_a_single_member_on_all(seed, tmp_path, small):
    """Even where the sample is all but nothing."""
    data = members(seed, noise=9.0)
    sampling.SAMPLED_VALUES, sampling.FEWEST_PIXELS = 1, 1
    oof = gather(data, DICE, tmp_path)
    assert int(oof.sample.oof.blocks.lengths.max()) == 1
    found = search_blend(oof, DICE).score
    for row in [np.ones(4), *np.eye(4)]:
        plain = dict(zip(oof.names, row.tolist(), strict=True))
        assert found >= search_blend(oof, DICE, plain).score


def test_the_score_is_that_of_all_pixels_of_all_images(tmp_path, small):
    data = members(1)
    oof = gather(data, DICE, tmp_path)
    blend = search_blend(oof, DICE)
    whole = find_disputed(data, tmp_path, prune=False)
    shares = integer_weights(list(blend.weights.values()))
    level = np.array([[np.abs(whole.grid - blend.thresholds[0]).argmin()]])
    assert DICE.aggregate(whole.weigh(shares)(level))[0] == blend.score


def test_the_same_maps_give_the_same_blend_with_any_number_of_threads(tmp_path, monkeypatch, small):
    monkeypatch.setattr(sampling, "SAMPLED_VALUES", 400_000)
    data = members(3, size=(100, 110))
    first = search_blend(gather(data, DICE, tmp_path), DICE)
    for count in (1, 5):
        monkeypatch.setattr(threads, "thread_count", lambda count=count: count)
        oof = gather(data, DICE, tmp_path)
        assert oof.sample.oof.blocks.lengths.sum() > 1 << 16, "large enough to be cut into parts"
        assert search_blend(oof, DICE) == first


def test_a_sample_stands_for_its_images_pixel_for_pixel(tmp_path, small):
    """Its counts add up to those of the images, and are near them at every threshold."""
    oof = gather(members(2, size=(80, 90)), DICE, tmp_path)
    sample, levels = oof.sample, np.arange(len(oof.grid))[:, None]
    shares = integer_weights([1, 2, 3, 4])
    estimated = sample.oof.weigh(shares)(levels)
    true = oof.select(sample.images).weigh(shares)(levels)
    assert (estimated.sum(axis=-1) == true.sum(axis=-1)).all()
    scores = DICE.aggregate(estimated), DICE.aggregate(true)
    assert np.abs(scores[0] - scores[1]).max() < 0.02
    assert sample.oof.blocks.lengths.sum() < 0.3 * oof.blocks.lengths.sum()


def test_of_sampled_images_only_those_that_are_left_are_used(tmp_path, small):
    oof = gather(members(0), DICE, tmp_path)
    rows = np.arange(39, 0, -2)
    left = oof.select(rows)
    assert set(rows[left.sample.images]) == set(rows) & set(oof.sample.images)
    shares, levels = integer_weights([1, 1, 1, 1]), np.array([[100]])
    places = [oof.sample.images.tolist().index(row) for row in rows[left.sample.images]]
    mine = left.sample.oof.weigh(shares)(levels)
    assert (mine == oof.sample.oof.weigh(shares)(levels)[:, places]).all()
    few = rows[left.sample.images][: oofs.FEWEST_IMAGES - 1]
    assert oof.select(few).sample is None, "too few to search on"


def test_images_are_drawn_evenly_over_what_is_disputed_in_them():
    disputed = np.random.default_rng(0).integers(0, 1000, 999)
    drawn = sampling.draw_images(disputed, 111, np.random.default_rng(0))
    assert len(set(drawn.tolist())) == 111 and (np.diff(drawn) > 0).all()
    ranks = np.sort(np.argsort(np.argsort(disputed, kind="stable"))[drawn])
    assert np.abs(ranks - 9 * np.arange(111)).max() < 30
    again = sampling.draw_images(disputed, 111, np.random.default_rng(0))
    assert (again == drawn).all()


def test_passes_over_all_pixels_are_few(tmp_path, monkeypatch, small):
    oof = gather(members(0, members=8), DICE, tmp_path)
    passes = {}
    for name, searched in (("exact", replace(oof, sample=None)), ("sampled", oof)):
        made = []
        original = searched.counts._make
        monkeypatch.setattr(
            searched.counts,
            "_make",
            lambda *of, make=original, made=made: made.append(of) or make(*of),
        )
        monkeypatch.setattr(searched.counts, "_kept", type(searched.counts._kept)())
        search_blend(searched, DICE)
        passes[name] = len({shares.tobytes() for shares, _ in made})
        monkeypatch.undo()
    assert passes["sampled"] <= 8 + 3 + 12 < passes["exact"] / 2, passes


def test_whole_images_are_sampled_too(tmp_path, monkeypatch):
    metric = get_metric("pixel_accuracy")
    data = source(images=24, members=3, noise=3.0)
    exact = search_blend(gather(data, metric, tmp_path), metric).score
    monkeypatch.setattr(whole_images, "SEARCHED_VALUES", 1)
    monkeypatch.setattr(whole_images, "SAMPLED", 12)
    oof = gather(data, metric, tmp_path)
    assert oof.sample.oof.images == 12 and oof.select(np.arange(20)).sample is not None
    assert search_blend(oof, metric).score >= exact - 0.02


def test_counts_of_all_images_serve_every_fold(tmp_path):
    oof = find_disputed(members(0), tmp_path)
    shares, asked = integer_weights([1, 2, 1, 0]), []
    counts = shared_counts.SharedCounts(lambda s, rows: asked.append(len(rows)) or rows * 2, 40)
    parts = [np.arange(40)[np.arange(40) % 5 != fold] for fold in range(5)]
    for rows in parts:
        assert (counts.of(shares, rows) == rows * 2).all()
    assert asked == [32, 40], "those of a fold, then once those of all"
    expected = find_disputed(members(0), tmp_path).select(parts[3]).weigh(shares)(np.array([[7]]))
    for rows in parts:
        found = oof.select(rows).weigh(shares)(np.array([[7]]))
    assert (oof.select(parts[3]).weigh(shares)(np.array([[7]])) == expected).all()
    assert found.shape == (1, 32, 1, 4)


def test_few_tables_are_kept(monkeypatch):
    monkeypatch.setattr(shared_counts, "KEPT_BYTES", 1000)
    counts = shared_counts.SharedCounts(lambda s, rows: np.zeros((len(rows), 40), np.uint8), 10)
    for number in range(5):
        counts.of(integer_weights([number + 1, 1]), np.arange(10))
    assert len(counts._kept) == 2
    assert weights.WEIGHT_STEPS[-1] < ONE
