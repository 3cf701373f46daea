"""The blending kernel against a slow reference in exact arithmetic."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.ensemble.blending import stream
from pipeline.ensemble.blending.fixed_point import (
    ONE,
    integer_weights,
    level_shift,
    level_threshold,
    limit,
)
from pipeline.ensemble.blending.kernel import blend, decide, decide_runs
from pipeline.ensemble.blending.means import make_mean
from pipeline.errors import ArtefactError, ConfigError


def random_maps(seed, members, shape, dtype=np.uint8):
    rng = np.random.default_rng(seed)
    if dtype == np.float16:
        return [rng.random(shape).astype(np.float16) for _ in range(members)]
    return [rng.integers(0, np.iinfo(dtype).max + 1, shape).astype(dtype) for _ in range(members)]


def exact_decision(maps, weights, thresholds):
    """decide(), a pixel at a time, in fractions of the integer weights."""
    shares = [int(share) for share in integer_weights(weights)]
    top = np.iinfo(maps[0].dtype).max
    decided = np.zeros(maps[0].shape, bool)
    for place in np.ndindex(*decided.shape):
        total = sum(share * int(m[place]) for share, m in zip(shares, maps, strict=True))
        decided[place] = Fraction(total, top * ONE) >= Fraction(
            round(thresholds[place[0]] * top * ONE), top * ONE
        )
    return decided


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=60))
def test_integer_weights_sum_exactly_and_lie_within_a_unit_of_their_share(weights):
    if sum(weights) == 0:
        with pytest.raises(ConfigError, match="zero"):
            integer_weights(weights)
        return
    shares = integer_weights(weights)
    assert int(shares.sum()) == ONE
    assert np.abs(shares - np.array(weights) / sum(weights) * ONE).max() < 1 + 1e-6
    again = integer_weights(shares / ONE)
    assert (again == shares).all()


@pytest.mark.parametrize("weights", [[-1, 2], [float("nan")], [float("inf"), 1], [0, 0], []])
def test_weights_that_make_no_blend_are_refused(weights):
    with pytest.raises(ConfigError, match=r"ensemble\.weights"):
        integer_weights(weights)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_level_threshold_comes_back_as_the_same_limit(dtype):
    for level in range(511):
        assert limit(level_threshold(level, dtype), dtype) == level << level_shift(dtype)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("members", [1, 2, 4, 5, 6, 12])
def test_decisions_equal_exact_fractions(dtype, members):
    maps = random_maps(members, members, (2, 5, 7), dtype)
    weights = np.random.default_rng(members).random(members)
    thresholds = [0.5, 100 / 255]
    assert (decide(maps, weights, thresholds) == exact_decision(maps, weights, thresholds)).all()


def test_a_blend_of_equal_values_on_the_threshold_is_positive_for_any_weights():
    maps = [np.full((1, 4, 4), 128, np.uint8)] * 7
    for seed in range(20):
        weights = np.random.default_rng(seed).random(7)
        assert decide(maps, weights, [128 / 255]).all()
        assert not decide(maps, weights, [128 / 255 + 1e-6]).any()


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float16])
def test_blend_is_the_weighted_mean(dtype):
    maps = random_maps(3, 6, (3, 11, 13), dtype)
    weights = [1, 2, 0, 4, 5, 0.5]
    scale = 1 if dtype == np.float16 else np.iinfo(dtype).max
    mean = make_mean("arithmetic", dtype)
    expected = np.average(np.stack(maps).astype(np.float64) / scale, axis=0, weights=weights)
    assert np.abs(blend(maps, weights, mean) - expected).max() < 6 / ONE + 1e-5


@pytest.mark.parametrize("multiclass", [False, True])
@pytest.mark.parametrize("order", ["row", "column"])
def test_results_do_not_depend_on_blocks_or_threads(monkeypatch, multiclass, order):
    maps = random_maps(5, 5, (3, 31, 17))
    weights, thresholds = [1, 2, 3, 4, 5], [0.4, 0.5, 0.6]

    def everything(threads):
        runs = decide_runs(maps, weights, thresholds, order, multiclass=multiclass, threads=threads)
        decided = decide(maps, weights, thresholds, multiclass=multiclass, threads=threads)
        return blend(maps, weights, threads=threads).tobytes(), decided.tobytes(), str(runs)

    expected = everything(1)
    for block in (1, 7, 64, 1000):
        monkeypatch.setattr(stream, "BLOCK_PIXELS", block)
        assert everything(1) == everything(3) == expected


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.integers(1, 12),
    st.integers(1, 12),
    st.sampled_from([0.0, 0.2, 0.5, 0.8, 1.0]),
    st.integers(1, 40),
)
def test_runs_are_the_runs_of_the_decision(seed, height, width, threshold, block):
    maps = random_maps(seed, 1, (2, height, width))
    decided = decide(maps, [1], [threshold] * 2)
    usual, stream.BLOCK_PIXELS = stream.BLOCK_PIXELS, block
    try:
        for order, letter in (("row", "C"), ("column", "F")):
            found = decide_runs(maps, [1], [threshold] * 2, order)
            for plane, runs in zip(decided, found, strict=True):
                painted = np.zeros(plane.size, bool)
                for start, length in runs:
                    assert length > 0 and not painted[start : start + length].any()
                    painted[start : start + length] = True
                assert (painted == plane.ravel(letter)).all()
                assert (runs[1:, 0] > runs[:-1].sum(axis=1)).all(), "touching runs are one run"
    finally:
        stream.BLOCK_PIXELS = usual


def test_exclusive_decisions_take_the_largest_ratio_and_of_equals_the_first():
    maps = random_maps(8, 4, (4, 9, 10))
    for member in maps:
        member[2] = member[1]
    weights, thresholds = [4, 3, 2, 1], [0.5, 0.4, 0.4, 0.8]
    shares = integer_weights(weights)
    sums = sum(share * m.astype(np.uint64) for share, m in zip(shares, maps, strict=True))
    expected = (sums / np.array(thresholds)[:, None, None]).argmax(axis=0)
    decided = decide(maps, weights, thresholds, multiclass=True)
    assert (decided.sum(axis=0) == 1).all()
    assert (decided.argmax(axis=0) == expected).all()
    assert not decided[2].any()


def test_geometric_mean_is_the_exponential_of_the_mean_logarithm():
    maps = random_maps(1, 3, (1, 20, 20))
    weights = np.array([0.5, 0.25, 0.25])
    least = 1 / 510
    shifted = least + np.stack(maps) / 255 * (1 - least)
    expected = np.exp(np.tensordot(weights, np.log(shifted), 1))
    got = blend(maps, weights, make_mean("geometric", np.uint8))
    assert np.abs(got * (1 - least) + least - expected).max() < 1e-3


def test_logit_mean_is_the_sigmoid_of_the_mean_logit():
    maps = random_maps(1, 3, (1, 20, 20))
    weights = np.array([0.5, 0.25, 0.25])
    least = 1 / 510
    inner = least + np.stack(maps) / 255 * (1 - 2 * least)
    logits = np.tensordot(weights, np.log(inner / (1 - inner)), 1)
    got = blend(maps, weights, make_mean("logit", np.uint8))
    assert np.abs(got * (1 - 2 * least) + least - 1 / (1 + np.exp(-logits))).max() < 1e-3


@pytest.mark.parametrize("name", ["geometric", "logit"])
def test_decisions_threshold_the_blend_of_their_mean(name):
    maps = random_maps(2, 3, (1, 40, 40))
    mean = make_mean(name, np.uint8)
    blended = blend(maps, [1, 1, 1], mean)
    decided = decide(maps, [1, 1, 1], [0.3], mean=mean)
    clear = np.abs(blended - 0.3) > 1e-4
    assert (decided == (blended >= 0.3))[clear].all()
    assert clear.mean() > 0.99


def test_rank_mean_undoes_a_members_calibration():
    """A member pushed through any increasing curve ranks as before, so the blend stays."""
    rng = np.random.default_rng(0)
    maps = [rng.integers(0, 256, (1, 100, 100)).astype(np.uint8) for _ in range(2)]
    timid = (np.sqrt(maps[1] / 255) * 200).astype(np.uint8)
    histograms = [np.bincount(m.ravel(), minlength=256) for m in (maps[0], timid)]
    mean = make_mean("rank", np.uint8, histograms)
    first, second = (mean.table(member)[m] for member, m in enumerate((maps[0], timid)))
    order = np.argsort(maps[1], axis=None, kind="stable")
    assert (np.diff(second.ravel()[order].astype(int)) >= 0).all()
    assert abs(np.median(first) - np.median(second)) < 0.02 * 65535


def test_each_member_is_turned_by_its_own_table():
    maps = random_maps(6, 4, (1, 30, 40))
    maps[2] //= 3
    histograms = [np.bincount(m.ravel(), minlength=256) for m in maps]
    mean = make_mean("rank", np.uint8, histograms)
    weights = [0, 1, 2, 5]
    ranked = [mean.table(member)[m] / 65535 for member, m in enumerate(maps)]
    expected = np.average(ranked, axis=0, weights=weights)
    assert np.abs(blend(maps, weights, mean) - expected).max() < 1e-4
    assert np.abs(blend(maps, weights) - expected).max() > 0.05


def test_ranks_are_pooled_over_all_members_alike():
    maps = random_maps(9, 2, (1, 30, 40))
    histograms = [
        np.bincount((m // (1 + 2 * n)).ravel(), minlength=256) for n, m in enumerate(maps)
    ]
    there, back = (make_mean("rank", np.uint8, each) for each in (histograms, histograms[::-1]))
    assert (there.tables == back.tables[::-1]).all()


def test_a_rank_is_the_middle_of_those_that_share_it():
    """Two members of two values each, of which half are low: the halves' middles meet."""
    low, high = np.zeros(256, np.int64), np.zeros(256, np.int64)
    low[[10, 20]] = 50
    high[[200, 240]] = 50
    mean = make_mean("rank", np.uint8, [low, high])
    assert mean.table(0)[10] == mean.table(1)[200] and mean.table(0)[20] == mean.table(1)[240]
    # ranks .25 and .75 of four equal parts with middles .125, .375, .625, .875
    assert mean.table(0)[10] / 65535 == pytest.approx((10 + 20) / 2 / 255, abs=1e-4)
    assert mean.table(0)[20] / 65535 == pytest.approx((200 + 240) / 2 / 255, abs=1e-4)


def test_one_member_has_its_own_values_whatever_the_mean():
    maps = random_maps(4, 1, (1, 30, 30))
    histogram = [np.bincount(maps[0].ravel(), minlength=256)]
    for name in ("arithmetic", "geometric", "logit", "rank"):
        blended = blend(maps, [3.0], make_mean(name, np.uint8, histogram))
        assert np.abs(blended - maps[0] / 255).max() < 2e-3, name


def test_maps_that_differ_are_refused_with_both_sides_named():
    good = np.zeros((1, 4, 5), np.uint8)
    for other in (np.zeros((1, 5, 4), np.uint8), np.zeros((1, 4, 5), np.uint16)):
        with pytest.raises(ArtefactError, match=r"\(1, 4, 5\) uint8.*member 1 is"):
            decide([good, other], [1, 1], [0.5])
    with pytest.raises(ArtefactError, match="float32"):
        decide([good.astype(np.float32)], [1], [0.5])


def test_thresholds_must_fit_the_classes():
    with pytest.raises(ConfigError, match="2 thresholds for 1"):
        decide([np.zeros((1, 4, 5), np.uint8)], [1], [0.5, 0.5])
    with pytest.raises(ConfigError, match="outside"):
        decide([np.zeros((1, 4, 5), np.uint8)], [1], [1.5])


def test_read_only_memory_maps_are_read_in_place(tmp_path):
    np.save(tmp_path / "maps.npy", random_maps(0, 1, (1, 40, 50))[0])
    opened = np.load(tmp_path / "maps.npy", mmap_mode="r")
    assert np.abs(blend([opened, opened], [1, 1])[0] - opened[0] / 255).max() < 1e-6
