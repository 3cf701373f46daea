"""The parts of the registration, each on the case it is there for."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from pipeline.alignment import AlignSettings, align, ecc, initial_warps, warp_reference
from pipeline.alignment.coarse_search import search
from pipeline.alignment.compare import correlation, make_pair
from pipeline.alignment.ecc import improve
from pipeline.alignment.geometry import MOTIONS, corner_distance, map_points, similarity
from pipeline.alignment.local_check import disagreement
from pipeline.alignment.motion_test import MotionEvidence
from pipeline.alignment.photometry import band_pass, is_flat, to_gray
from pipeline.alignment.refine import fit
from tests.helpers.image_pairs import cut, draw_scene, random_warp, spoil
from tests.helpers.image_pairs import make_pair as make_known

SIDE = 256
SIZE = (SIDE, SIDE)
IN_PLACE = np.eye(3)


def shifted(right: float, down: float) -> np.ndarray:
    return similarity(1.0, 0.0, np.zeros(2), np.array([right, down]))


def test_gain_and_bias_leave_the_band_pass_alone() -> None:
    scene = draw_scene(1, SIDE) // 2
    assert np.allclose(band_pass(scene), band_pass(scene * 2), atol=1e-3)
    assert np.allclose(band_pass(scene), band_pass(scene + 60), atol=1e-3)


def test_alpha_is_left_out_of_gray() -> None:
    scene = draw_scene(1, 64)
    alpha = np.random.default_rng(0).integers(0, 256, scene.shape).astype(np.uint8)
    assert np.array_equal(to_gray(np.dstack([scene, alpha])), scene)
    assert np.array_equal(to_gray(np.dstack([scene, scene, scene, alpha])), scene)


def test_one_level_is_flat_and_a_dark_scene_is_not() -> None:
    assert is_flat(np.full(SIZE, 9, np.uint8))
    assert not is_flat(draw_scene(1, SIDE) // 20)


@pytest.mark.parametrize("motion", MOTIONS)
@pytest.mark.parametrize("level", [0, 255])
def test_ecc_gives_nothing_on_flat_pictures_and_does_not_raise(motion: str, level: int) -> None:
    flat, scene = np.full(SIZE, level, np.uint8), draw_scene(1, SIDE)
    for pair in (make_pair(flat, scene), make_pair(scene, flat), make_pair(flat, flat)):
        found = improve(pair, IN_PLACE, motion)
        assert found is None or np.isfinite(found).all()


def test_ecc_that_runs_away_gives_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = draw_scene(1, 66)
    pair = make_pair(scene[:64, :64], scene[2:, 2:])
    found = improve(pair, IN_PLACE, "translation")
    assert found is not None
    assert corner_distance(found, shifted(-2, -2), (64, 64)) < 0.3
    monkeypatch.setattr(ecc, "_FURTHEST", 0.01)
    assert improve(pair, IN_PLACE, "translation") is None


@pytest.mark.parametrize("place", [(0, 0), (25, -14), (-30, 30)])
def test_search_finds_places_outside_the_middle(place: tuple[int, int]) -> None:
    scene = draw_scene(3, 220)
    image = scene[60:160, 60:160]
    reference = scene[60 + place[1] : 160 + place[1], 60 + place[0] : 160 + place[0]]
    best = search(image, reference, [(0.0, 1.0)])[0]
    assert corner_distance(best, shifted(-place[0], -place[1]), (100, 100)) < 1.0


def test_zoomed_references_are_found_without_features(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(initial_warps, "match", lambda *pictures: None)
    monkeypatch.setattr(initial_warps, "_TURNS", (0.0,))
    truth = similarity(1.5, 1.0, np.full(2, 99.5), np.full(2, 149.5))
    pair = make_known(truth, 6, side=200, reference_side=300)
    found = align(pair.image, pair.reference, AlignSettings())
    assert found.status == "ok"
    assert corner_distance(found.warp, truth, (200, 200)) < 0.7


def test_pixels_that_moved_otherwise_do_not_pull_the_fit() -> None:
    scene = draw_scene(4, SIDE)
    image = scene.copy()
    image[:, :70] = np.roll(scene, 3, axis=1)[:, :70]
    found = fit(make_pair(image, scene), IN_PLACE, "translation", 30)
    assert corner_distance(found.warp, IN_PLACE, SIZE) < 0.05


@pytest.mark.parametrize("motion", MOTIONS)
def test_fit_comes_to_rest_in_its_family(motion: str) -> None:
    known = make_known(random_warp(motion, 2, SIDE), 2)
    near = known.warp @ shifted(1.5, -1.0)
    pair = make_pair(known.image, known.reference)
    found = fit(pair, near, motion, 30)
    assert found.converged
    assert corner_distance(found.warp, known.warp, SIZE) < 0.3
    assert correlation(pair, found.warp) > correlation(pair, near)


def test_corners_are_uncertain_along_stripes_only() -> None:
    stripes = np.tile(127 + 90 * np.sin(np.arange(SIDE) / 4), (SIDE, 1)).astype(np.uint8)
    deviations = [
        MotionEvidence(fit(make_pair(spoil(scene, 1, 0), scene), IN_PLACE, "translation", 5), SIZE)
        for scene in (stripes, draw_scene(1, SIDE))
    ]
    along, across = (evidence.corner_deviation() for evidence in deviations)
    assert along > 3.0
    assert across < 0.3


def test_support_is_for_motions_that_are_there() -> None:
    truth = random_warp("affine", 1, SIDE)
    known = make_known(truth, 1)
    pair = make_pair(known.image, known.reference)
    poor = fit(pair, random_warp("euclidean", 1, SIDE), "euclidean", 30)
    right, rich = fit(pair, truth, "affine", 30), fit(pair, truth, "homography", 30)
    assert MotionEvidence(right, SIZE).support(poor) > 20
    assert MotionEvidence(rich, SIZE).support(right) < 5


@pytest.mark.parametrize("seed", range(3))
def test_a_picture_with_little_to_hold_on_to_has_uncertain_corners(seed: int) -> None:
    scene = np.full((420, 420), 200, np.uint8)
    cv2.rectangle(scene, (100, 100), (140, 106), 40, -1)
    place, truth = shifted(82, 82), random_warp("affine", seed, SIDE)
    image = spoil(cut(scene, place @ truth, SIDE), seed, 0)
    found = align(image, cut(scene, place, SIDE), AlignSettings())
    assert found.status == "uncertain corners"
    assert found.corner_px > AlignSettings().max_uncertainty


@pytest.mark.parametrize(("shift", "share"), [(0, 0.0), (6, 1.0)])
def test_windows_see_a_better_place_nearby(shift: int, share: float) -> None:
    scene = draw_scene(5, SIDE)
    pair = make_pair(scene, np.roll(scene, shift, axis=1))
    assert abs(disagreement(pair, IN_PLACE) - share) < 0.3


def test_what_the_reference_does_not_show_is_mirrored() -> None:
    reference = draw_scene(1, 64)
    warped = warp_reference(reference, shifted(-5, 0), (64, 64))
    assert np.array_equal(warped[:, 5:], reference[:, :-5])
    assert np.array_equal(warped[:, :5], reference[:, 5:0:-1])


def test_warps_map_the_image_to_the_reference() -> None:
    known = make_known(random_warp("translation", 1, SIDE), 1)
    middle = np.array([[128.0, 128.0]])
    found = align(known.image, known.reference, AlignSettings())
    assert np.allclose(map_points(found.warp, middle), map_points(known.warp, middle), atol=0.3)
