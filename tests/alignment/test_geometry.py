"""Families of motion: steps stay inside them, and fields are what the steps do."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.alignment.geometry import (
    MOTIONS,
    PARAMETERS,
    compose,
    corner_distance,
    corners,
    displacement_fields,
    map_points,
    overlap_share,
    rescale,
    scale_and_rotation,
    similarity,
)
from tests.helpers.image_pairs import random_warp

SIZE = (90, 140)
steps = st.lists(st.floats(-3, 3), min_size=8, max_size=8).map(np.array)


@given(steps)
def test_fields_are_the_derivative_of_steps(step: np.ndarray) -> None:
    points = corners(SIZE)
    small = 1e-5
    moved = (map_points(compose(np.eye(3), small * step, SIZE), points) - points) / small
    assert np.allclose(moved, displacement_fields(points, SIZE) @ step, atol=1e-3)


@given(steps, st.integers(0, 20))
def test_euclidean_steps_keep_lengths(step: np.ndarray, seed: int) -> None:
    linear = compose(random_warp("euclidean", seed, 90), step[:3], SIZE)[:2, :2]
    assert np.allclose(linear @ linear.T, np.eye(2))


@pytest.mark.parametrize("motion", MOTIONS[:3])
def test_only_homographies_have_a_third_row(motion: str) -> None:
    warp = compose(np.eye(3), np.full(PARAMETERS[motion], 2.0), SIZE)
    assert np.allclose(warp[2], [0, 0, 1])


@given(st.integers(0, 50), st.floats(0.2, 5.0))
def test_rescaled_warps_move_rescaled_points(seed: int, factor: float) -> None:
    warp, points = random_warp("homography", seed, 90), corners(SIZE)
    moved = map_points(rescale(warp, factor), factor * points)
    assert np.allclose(moved, factor * map_points(warp, points))


@given(st.floats(0.6, 1.6), st.floats(-170, 170))
def test_scale_and_turn_are_read_back(scale: float, turn: float) -> None:
    warp = similarity(scale, turn, np.array([10.0, 5.0]), np.array([3.0, 4.0]))
    assert np.allclose(map_points(warp, np.array([[10.0, 5.0]])), [[3.0, 4.0]])
    assert np.allclose(scale_and_rotation(warp, SIZE), (scale, turn))


def test_corner_distance_is_that_of_the_worst_corner() -> None:
    turned = similarity(1.0, 90.0, np.zeros(2), np.zeros(2))
    assert corner_distance(np.eye(3), np.eye(3), SIZE) == 0
    assert np.isclose(corner_distance(np.eye(3), turned, SIZE), np.hypot(89, 139) * np.sqrt(2))


@pytest.mark.parametrize(("shift", "share"), [(0.0, 1.0), (69.5, 0.5), (300.0, 0.0)])
def test_overlap_is_the_shared_area(shift: float, share: float) -> None:
    warp = similarity(1.0, 0.0, np.zeros(2), np.array([shift, 0.0]))
    assert np.isclose(overlap_share(warp, SIZE, SIZE), share, atol=1e-3)


def test_a_warp_that_folds_overlaps_nothing() -> None:
    folded = np.eye(3)
    folded[2, 0] = -1 / 70
    assert overlap_share(folded, SIZE, SIZE) == 0
