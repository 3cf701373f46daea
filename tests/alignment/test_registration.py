"""`align` on pairs whose warp is known, and on pairs that have none."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from pipeline.alignment import AlignSettings, align, warp_reference
from pipeline.alignment.geometry import MOTIONS, corner_distance, similarity
from tests.helpers.image_pairs import draw_scene, make_pair, random_warp, spoil

SETTINGS = AlignSettings()
SIDE = 256
SIZE = (SIDE, SIDE)
# SIFT and the search by turns are seldom needed; a flat picture needs nothing.
FLAT = np.full(SIZE, 128, np.uint8)


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("kind", MOTIONS)
def test_known_warp_is_found_within_half_a_pixel(kind: str, seed: int) -> None:
    pair = make_pair(random_warp(kind, seed, SIDE), seed)
    found = align(pair.image, pair.reference, SETTINGS)
    assert found.status == "ok"
    assert corner_distance(found.warp, pair.warp, SIZE) < 0.5
    assert found.corner_px < 1.0
    assert found.cc_after > found.cc_before
    assert found.seconds > 0


@pytest.mark.parametrize("kind", MOTIONS)
def test_auto_chooses_no_richer_family_than_the_pair_has(kind: str) -> None:
    pair = make_pair(random_warp(kind, 7, SIDE), 7)
    found = align(pair.image, pair.reference, SETTINGS)
    assert MOTIONS.index(found.motion) <= MOTIONS.index(kind)


@pytest.mark.parametrize("motion", MOTIONS)
def test_fixed_motion_is_kept(motion: str) -> None:
    pair = make_pair(random_warp("homography", 3, SIDE), 3)
    warp = align(pair.image, pair.reference, AlignSettings(motion=motion, max_uncertainty=99)).warp
    linear = warp[:2, :2]
    if motion == "translation":
        assert np.allclose(linear, np.eye(2))
    if motion == "euclidean":
        assert np.allclose(linear @ linear.T, np.eye(2), atol=1e-9)
    assert np.allclose(warp[2], [0, 0, 1]) == (motion != "homography")


def test_warped_reference_matches_the_image() -> None:
    pair = make_pair(random_warp("affine", 1, SIDE), 1)
    found = align(pair.image, pair.reference, SETTINGS)
    warped = warp_reference(pair.reference, found.warp, SIZE)
    before = np.corrcoef(pair.image.ravel(), pair.reference.ravel())[0, 1]
    assert np.corrcoef(pair.image.ravel(), warped.ravel())[0, 1] > before + 0.1


def test_warp_is_in_the_convention_of_ecc() -> None:
    pair = make_pair(random_warp("euclidean", 2, SIDE), 2)
    found = align(pair.image, pair.reference, SETTINGS)
    start = found.warp[:2].astype(np.float32)
    criteria = (cv2.TERM_CRITERIA_COUNT, 5, 0.0)
    mask = np.full(SIZE, 255, np.uint8)
    _, improved = cv2.findTransformECC(
        pair.image, pair.reference, start, cv2.MOTION_EUCLIDEAN, criteria, mask, 5
    )
    assert corner_distance(np.vstack([improved, [0, 0, 1]]), found.warp, SIZE) < 1.0


def test_same_input_gives_the_same_output() -> None:
    pair = make_pair(random_warp("homography", 5, SIDE), 5)
    first, second = (align(pair.image, pair.reference, SETTINGS) for _ in range(2))
    assert first.warp.tobytes() == second.warp.tobytes()
    assert (first.status, first.corner_px) == (second.status, second.corner_px)


def test_inputs_are_left_as_they_are() -> None:
    pair = make_pair(random_warp("affine", 4, SIDE), 4)
    image, reference = pair.image.copy(), pair.reference.copy()
    align(image, reference, SETTINGS)
    assert np.array_equal(image, pair.image)
    assert np.array_equal(reference, pair.reference)


@pytest.mark.parametrize("image", [draw_scene(1, SIDE), FLAT], ids=["scene", "flat"])
def test_identical_pictures_give_the_identity(image: np.ndarray) -> None:
    found = align(image, image.copy(), SETTINGS)
    assert found.status == "ok"
    assert np.array_equal(found.warp, np.eye(3))


def test_noisy_copies_in_place_give_about_the_identity() -> None:
    found = align(spoil(draw_scene(1, SIDE), 1), spoil(draw_scene(1, SIDE), 2), SETTINGS)
    assert found.status == "ok"
    assert found.motion == "translation"
    assert corner_distance(found.warp, np.eye(3), SIZE) < 0.3


@pytest.mark.parametrize("turn", [-10.0, 8.0, 65.0, 170.0])
def test_turned_pairs_are_found(turn: float) -> None:
    middle = np.full(2, (SIDE - 1) / 2)
    pair = make_pair(similarity(1.0, turn, middle, middle + np.array([4.0, -6.0])), 2)
    found = align(pair.image, pair.reference, SETTINGS)
    assert found.status == "ok"
    assert corner_distance(found.warp, pair.warp, SIZE) < 0.5


def test_a_turn_beyond_the_limit_is_flagged() -> None:
    middle = np.full(2, (SIDE - 1) / 2)
    pair = make_pair(similarity(1.0, 10.0, middle, middle), 2)
    found = align(pair.image, pair.reference, AlignSettings(max_rotation=5))
    assert found.status == "too much rotation"
    assert np.array_equal(found.warp, np.eye(3))


@pytest.mark.parametrize(("scale", "place"), [(1.0, 20.0), (1.06, -30.0), (1.28, 0.0)])
def test_place_in_a_larger_reference_is_found(scale: float, place: float) -> None:
    image_middle, middle = np.full(2, (200 - 1) / 2), np.full(2, (256 - 1) / 2)
    truth = similarity(scale, 2.0, image_middle, middle + np.array([place, -place / 2]))
    pair = make_pair(truth, 6, side=200, reference_side=256)
    found = align(pair.image, pair.reference, SETTINGS)
    assert found.status == "ok"
    assert corner_distance(found.warp, truth, (200, 200)) < 0.7


def test_reference_smaller_than_the_image_is_found() -> None:
    truth = similarity(1.0, 1.0, np.full(2, 127.5), np.full(2, 102.0))
    pair = make_pair(truth, 6, side=256, reference_side=205)
    found = align(pair.image, pair.reference, SETTINGS)
    assert found.status == "ok"
    assert corner_distance(found.warp, truth, SIZE) < 0.7


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_channel_counts_may_differ(channels: int) -> None:
    pair = make_pair(random_warp("euclidean", 1, SIDE), 1)
    image = np.repeat(pair.image[:, :, None], channels, axis=2)
    found = align(image, pair.reference, SETTINGS)
    assert found.status == "ok"
    assert corner_distance(found.warp, pair.warp, SIZE) < 0.5
    warped = warp_reference(np.repeat(pair.reference[:, :, None], channels, 2), found.warp, SIZE)
    assert warped.shape == (*SIZE, channels)
    assert warped.dtype == np.uint8


@pytest.mark.parametrize("seed", range(3))
def test_unrelated_pictures_are_flagged_and_left_in_place(seed: int) -> None:
    found = align(draw_scene(seed, SIDE), draw_scene(seed + 50, SIDE), SETTINGS)
    assert found.status != "ok"
    assert np.array_equal(found.warp, np.eye(3))
    assert found.cc_after == found.cc_before


def test_pure_noise_is_flagged() -> None:
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (2, SIDE, SIDE)).astype(np.uint8)
    assert align(noise[0], noise[1], SETTINGS).status != "ok"


@pytest.mark.parametrize("level", [0, 128, 255], ids=["dark", "gray", "saturated"])
def test_flat_pictures_are_flagged(level: int) -> None:
    flat, scene = np.full(SIZE, level, np.uint8), draw_scene(1, SIDE)
    for image, reference in ((flat, scene), (scene, flat), (flat, FLAT + 1)):
        found = align(image, reference, SETTINGS)
        assert found.status == "flat image"
        assert np.array_equal(found.warp, np.eye(3))
        assert not np.isfinite(found.corner_px)


def test_flagged_pairs_of_different_size_are_centred() -> None:
    found = align(np.zeros((100, 120), np.uint8), draw_scene(1, 200), SETTINGS)
    assert found.status == "flat image"
    assert np.array_equal(found.warp, [[1, 0, 40], [0, 1, 50], [0, 0, 1]])


def test_stripes_do_not_tell_where_along_them() -> None:
    stripes = np.tile(127 + 90 * np.sin(np.arange(SIDE) / 4), (SIDE, 1)).astype(np.uint8)
    assert align(spoil(stripes, 1, 0), stripes, SETTINGS).status != "ok"


def test_a_large_defect_does_not_drive_the_fit() -> None:
    pair = make_pair(random_warp("euclidean", 2, SIDE), 2)
    pair.image[60:150, 40:130] = draw_scene(9, 90)
    found = align(pair.image, pair.reference, SETTINGS)
    assert found.status == "ok"
    assert corner_distance(found.warp, pair.warp, SIZE) < 0.5


def test_dark_pictures_are_aligned_all_the_same() -> None:
    pair = make_pair(random_warp("euclidean", 2, SIDE), 2)
    found = align(pair.image // 12, pair.reference, SETTINGS)
    assert found.status == "ok"
    assert corner_distance(found.warp, pair.warp, SIZE) < 0.5


@pytest.mark.parametrize("shape", [(20, 300), (300, 31), (8, 8)])
def test_tiny_pictures_are_flagged(shape: tuple[int, int]) -> None:
    picture = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
    found = align(picture, draw_scene(1, SIDE), SETTINGS)
    assert found.status == "too small"


@pytest.mark.parametrize("wrong", [np.zeros((8, 8), np.float32), np.zeros((0, 8), np.uint8)])
def test_other_kinds_of_array_are_refused(wrong: np.ndarray) -> None:
    with pytest.raises(ValueError, match="uint8"):
        align(wrong, wrong, SETTINGS)


def test_oblong_and_odd_sizes_are_aligned() -> None:
    pair = make_pair(random_warp("euclidean", 3, SIDE), 3)
    image = pair.image[:171, :]
    found = align(image, pair.reference, SETTINGS)
    assert found.status == "ok"
    assert corner_distance(found.warp, pair.warp, (171, SIDE)) < 0.5
