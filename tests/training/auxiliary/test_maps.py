"""Target maps: equal to their formulas, pixel by pixel, on random objects."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.config.auxiliary import BoundaryMap, CentreMap, DistanceMap, Presence
from pipeline.data.object_codes import labelled, object_codes
from pipeline.models.auxiliary.target import TOP, UNKNOWN
from pipeline.training.auxiliary.maps import Objects, boundary, centre, distance, target_map
from pipeline.training.auxiliary.targets import Aims, mixed

SIZE = (24, 31)


def _touching(seed: int) -> NDArray[np.int32]:
    """Discs that touch and overlap, later ones on top."""
    random = np.random.default_rng(seed)
    labels = np.zeros(SIZE, np.int32)
    for number in range(1, 6):
        middle = [int(each) for each in random.integers(0, SIZE[0], 2)]
        cv2.circle(labels, middle, int(random.integers(2, 7)), number, -1)
    return labels


def _objects(seed: int, void: bool = False) -> Objects:
    known = np.ones(SIZE, bool)
    if void:
        known[:, 10:14] = False
    labels = _touching(seed) * known
    return Objects(labels.astype(np.int32), 5, known)


@pytest.mark.parametrize("seed", range(5))
def test_distance_is_that_to_the_nearest_pixel_of_anything_else(seed: int) -> None:
    objects = _objects(seed)
    values, known = distance(objects)
    places = np.stack(np.mgrid[: SIZE[0], : SIZE[1]], axis=-1).reshape(-1, 2).astype(float)
    flat, expected = objects.labels.ravel(), np.zeros(objects.labels.size)
    for number in range(1, 6):
        mine, others = places[flat == number], places[flat != number]
        if len(mine):
            steps = np.linalg.norm(mine[:, None] - others[None], axis=2).min(axis=1)
            expected[flat == number] = steps / steps.max()
    assert known.all() and np.abs(values.ravel() - expected).max() < 1e-3


@pytest.mark.parametrize("width", [1, 2, 4])
def test_a_boundary_is_as_wide_as_asked_for_on_both_sides(width: int) -> None:
    labels = np.zeros(SIZE, np.int32)
    labels[:, 8:16], labels[:, 16:20] = 1, 2
    values, _ = boundary(Objects(labels, 2, np.ones(SIZE, bool)), width)
    wanted = [any(edge - width <= x < edge + width for edge in (8, 16, 20)) for x in range(SIZE[1])]
    assert np.array_equal(values, np.broadcast_to(wanted, SIZE))


@pytest.mark.parametrize("seed", range(3))
def test_each_object_has_one_bump_at_its_middle(seed: int) -> None:
    objects = _objects(seed)
    bumps = centre(objects, 0.5)
    assert not bumps[objects.labels == 0].any()
    for number in np.unique(objects.labels)[1:]:
        mine = np.argwhere(objects.labels == number)
        offset = mine - mine.mean(axis=0)
        spread = 0.25 * len(mine) / np.pi
        expected = np.exp(-(offset**2).sum(axis=1) / (2 * spread))
        assert np.allclose(bumps[tuple(mine.T)], expected, atol=1e-5)


@pytest.mark.parametrize("output", [BoundaryMap(name="boundary"), DistanceMap(name="distance"),
                                    CentreMap(name="centre")])  # fmt: skip
def test_void_is_unknown_and_makes_no_boundary(output: object) -> None:
    labels = np.zeros(SIZE, np.int32)
    labels[4:20, :14] = 1
    known = np.ones(SIZE, bool)
    known[:, 14:] = False
    levels = target_map(output, Objects(labels, 1, known))  # type: ignore[arg-type]
    assert (levels[:, 14:] == UNKNOWN).all() and (levels[:, :14] != UNKNOWN).all()
    if output.name == "boundary":  # type: ignore[attr-defined]
        assert not levels[7:17, 10:14].any()
    if output.name == "distance":  # type: ignore[attr-defined]
        assert levels[11, 13] == levels[11, 5] == TOP


def test_an_object_that_fills_a_crop_has_no_known_distance() -> None:
    levels = target_map(
        DistanceMap(name="distance"), Objects(np.ones(SIZE, np.int32), 1, np.ones(SIZE, bool))
    )
    assert (levels == UNKNOWN).all()


def test_presence_looks_at_what_is_not_void() -> None:
    planes, valid = np.zeros((2, *SIZE), np.uint8), np.ones(SIZE, np.uint8)
    planes[0, 3, 3] = planes[1, 5, 5] = 1
    valid[5, 5] = 0
    aims = Aims([Presence(name="presence")], soft=False)
    assert aims.of_truth(planes, valid, None)["presence"].tolist() == [1, 0]
    assert np.isnan(aims.of_truth(planes, valid * 0, None)["presence"]).all()


def test_soft_truth_is_inside_from_a_half_on() -> None:
    planes = np.full((1, *SIZE), 127, np.uint8)
    planes[0, 4:9, 4:9] = 128
    aims = Aims([Presence(name="presence"), BoundaryMap(name="boundary", width=1)], soft=True)
    targets = aims.of_truth(planes, np.ones(SIZE, np.uint8), None)
    assert targets["presence"].tolist() == [1]
    assert targets["boundary"][0, 4, 4] == TOP and not targets["boundary"][0, 6, 6]
    assert aims.of_truth(planes * 0 + 127, np.ones(SIZE, np.uint8), None)["presence"] == [0]


def test_mixing_averages_what_both_know() -> None:
    one = {"centre": np.array([[0, 254, UNKNOWN]], np.uint8), "presence": np.array([1], np.float32)}
    two = {"centre": np.array([[100, 0, 7]], np.uint8), "presence": np.array([0], np.float32)}
    found = mixed(one, two, np.float32(0.75))
    assert found["centre"].tolist() == [[25, 190, UNKNOWN]] and found["presence"] == [0.75]


@pytest.mark.parametrize("seed", range(4))
def test_codes_keep_objects_apart(seed: int) -> None:
    labels = _touching(seed)
    codes = object_codes(labels[None])[0]
    for number in np.unique(labels)[1:]:
        assert len(np.unique(codes[labels == number])) == 1
    assert (codes > 0).tolist() == (labels > 0).tolist()
    count, found = labelled(codes)
    pieces = sum(
        cv2.connectedComponents((labels == each).astype(np.uint8))[0] - 1
        for each in np.unique(labels)[1:]
    )
    assert count >= pieces - 1 and found.max() == count


def test_more_objects_than_codes_still_differ_where_they_touch() -> None:
    labels = np.arange(1, 1 + 40 * 40, dtype=np.int32).reshape(40, 40)
    random = np.random.default_rng(0)
    codes = object_codes(random.permutation(labels.ravel()).reshape(1, 40, 40))[0].astype(int)
    assert codes.min() > 0
    for rows, columns in ((1, 0), (0, 1), (1, 1)):
        assert (codes[rows:, columns:] != codes[: 40 - rows, : 40 - columns]).all()
    assert (codes[1:, :-1] != codes[:-1, 1:]).all()
