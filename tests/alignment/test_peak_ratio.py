"""Pairs that look alike at several places are not trusted, unless they agree well at one."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from pipeline.alignment import AlignSettings, align
from pipeline.alignment.compare import make_pair
from pipeline.alignment.geometry import corner_distance, similarity
from pipeline.alignment.peak_ratio import echo
from tests.helpers.image_pairs import cut, draw_scene

SIDE = 256


def _board(seed: int) -> np.ndarray:
    """A few thick lines on dark ground."""
    random = np.random.default_rng(seed)
    scene = np.full((340, 340), 60, np.uint8)
    for _ in range(6):
        near, far = random.integers(40, 300, 2).tolist(), random.integers(40, 300, 2).tolist()
        cv2.line(scene, near, [far[0], near[1]], 200, 5)
        cv2.line(scene, [far[0], near[1]], far, 200, 5)
    return scene


def _pair(scene: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    middle = np.full(2, (SIDE - 1) / 2)
    warp = similarity(1.0, random.uniform(-2, 2), middle, middle + random.uniform(-8, 8, 2))
    place = similarity(1.0, 0.0, np.zeros(2), np.full(2, 40.0))
    image = cut(scene, place @ warp, SIDE) + random.normal(0, 3, (SIDE, SIDE))
    return np.clip(image, 0, 255).astype(np.uint8), cut(scene, place, SIDE), warp


@pytest.mark.parametrize("seed", range(3))
def test_edges_that_motion_has_doubled_are_not_trusted(seed: int) -> None:
    image, reference, warp = _pair(_board(seed), seed)
    sharp = align(image, reference, AlignSettings())
    assert sharp.status == "ok" and corner_distance(sharp.warp, warp, (SIDE, SIDE)) < 0.5
    moved = cv2.filter2D(image, -1, np.full((1, 25), 1 / 25, np.float32))
    found = align(moved, reference, AlignSettings())
    assert found.status != "ok" or corner_distance(found.warp, warp, (SIDE, SIDE)) < 3


def test_parallel_lines_that_agree_well_are_trusted() -> None:
    scene = draw_scene(5, 340) // 3 + (np.arange(340) // 6 % 2 * 100).astype(np.uint8)
    image, reference, warp = _pair(scene, 5)
    found = align(image, reference, AlignSettings())
    assert found.status == "ok" and corner_distance(found.warp, warp, (SIDE, SIDE)) < 1


@pytest.mark.parametrize(("period", "low", "high"), [(16, 0.9, 1.05), (None, 0.0, 0.3)])
def test_an_echo_is_a_share_of_the_peak(period: int | None, low: float, high: float) -> None:
    texture = cv2.GaussianBlur(np.random.default_rng(0).normal(0, 1, (SIDE, SIDE)), (0, 0), 1.5)
    picture = cv2.normalize(texture, None, 0, 255, cv2.NORM_MINMAX).astype(np.uint8)
    if period:
        picture = np.tile(picture[:period, :period], (SIDE // period, SIDE // period))
    assert low <= echo(make_pair(picture, picture), np.eye(3)) <= high
