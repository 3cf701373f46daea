"""Objects from decisions: disjoint, complete, and cut where the map has a valley."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from pipeline.ensemble.postprocessing.instances import (
    components,
    connected_instances,
    count_components,
)
from pipeline.ensemble.postprocessing.registry import STEPS
from pipeline.ensemble.postprocessing.watershed import watershed_objects

EIGHT = np.ones((3, 3))


def bumpy(seed, size=(40, 50), classes=2):
    rng = np.random.default_rng(seed)
    noise = [cv2.GaussianBlur(rng.normal(size=size), (0, 0), 2) * 6 for _ in range(classes)]
    probability = (1 / (1 + np.exp(-np.stack(noise)))).astype(np.float32)
    return probability >= 0.4, probability


@pytest.mark.parametrize("seed", range(3))
def test_components_are_scipys(seed):
    decision, _ = bumpy(seed)
    for plane, labels in zip(decision, connected_instances(decision), strict=True):
        expected, count = ndimage.label(plane, EIGHT)
        assert labels.max() == count and ((labels > 0) == plane).all()
        assert len(set(zip(labels[plane], expected[plane], strict=True))) == count


@pytest.mark.parametrize("seed", range(5))
def test_watershed_objects_fill_the_decision_and_have_a_seed_each(seed):
    decision, probability = bumpy(seed)
    found = watershed_objects(decision, probability, 0.8)
    assert found.dtype == np.int32 and ((found > 0) == decision).all()
    for plane, likely, labels in zip(decision, probability, found, strict=True):
        whole, count = ndimage.label(plane, EIGHT)
        seeds, seed_count = ndimage.label(plane & (likely >= 0.8), EIGHT)
        alone = sum(not seeds[whole == number].any() for number in range(1, count + 1))
        assert sorted(set(labels[plane])) == list(range(1, seed_count + alone + 1))
        for number in range(1, labels.max() + 1):
            assert ndimage.label(labels == number, EIGHT)[1] == 1, "an object is in one piece"
            assert len(set(seeds[labels == number]) - {0}) <= 1


def test_two_touching_discs_are_cut_between_them():
    y, x = np.mgrid[:40, :70]
    peaks = [np.exp(-((y - 20) ** 2 + (x - centre) ** 2) / 150) for centre in (22, 46)]
    probability = np.maximum(*peaks)[None].astype(np.float32)
    decision = probability >= 0.3
    assert connected_instances(decision).max() == 1
    labels = watershed_objects(decision, probability, 0.7)[0]
    assert labels.max() == 2
    nearer = np.where(x < 34, labels[20, 22], labels[20, 46])
    clear = decision[0] & (x != 34)
    assert (labels == nearer)[clear].all()


def test_the_flood_does_not_run_over_a_peak_to_come_down_behind_it():
    """Along a row: seed, valley, hill, seed. The hill joins the seed on its own side."""
    likely = np.array([[0.95, 0.5, 0.6, 0.7, 0.6, 0.9, 0.95]], np.float32)
    probability = np.repeat(likely[None], 3, axis=1)
    labels = watershed_objects(probability >= 0.4, probability, 0.94)[0]
    assert labels[1].tolist() == [1, 1, 2, 2, 2, 2, 2]


def test_a_hill_that_two_floods_reach_over_equal_valleys_is_shared():
    """It is as near to both: how high it is beyond the valleys does not count."""
    likely = np.array([[0.95, 0.6, 0.7, 0.75, 0.8, 0.85, 0.6, 0.95]], np.float32)
    labels = watershed_objects(likely[None] >= 0.4, likely[None], 0.94)[0]
    assert labels[0].tolist() == [1, 1, 1, 1, 2, 2, 2, 2]


def test_nothing_decided_is_no_object():
    nothing = np.zeros((1, 6, 7), bool)
    assert not watershed_objects(nothing, np.zeros((1, 6, 7), np.float32), 0.5).any()
    assert not connected_instances(nothing).any()


@pytest.mark.parametrize("seed", range(5))
def test_the_step_leaves_one_component_an_object_and_takes_only_pixels_between_them(seed):
    decision, probability = bumpy(seed)
    objects = watershed_objects(decision, probability, 0.8)
    cut = STEPS["watershed"].function(decision, probability, 0.8)
    for labels, plane in zip(objects, cut, strict=True):
        pieces, _ = ndimage.label(plane, EIGHT)
        for number in range(1, pieces.max() + 1):
            assert len(set(labels[pieces == number])) == 1, "a piece belongs to one object"
        touching = ndimage.generic_filter(
            labels, lambda near: len(set(near) - {0}) > 1, size=3, mode="nearest"
        ).astype(bool)
        assert ((plane != (labels > 0)) <= touching).all()


def test_touching_objects_are_rows_of_their_own_after_the_step():
    y, x = np.mgrid[:40, :70]
    peaks = [np.exp(-((y - 20) ** 2 + (x - centre) ** 2) / 150) for centre in (22, 46)]
    probability = np.maximum(*peaks)[None].astype(np.float32)
    cut = STEPS["watershed"].function(probability >= 0.3, probability, 0.7)
    assert connected_instances(cut).max() == 2


@given(st.integers(1, 40), st.integers(1, 30), st.floats(0, 1), st.integers(1, 9))
def test_objects_are_counted_by_rows_as_they_are_whole(
    height: int, width: int, share: float, rows: int
) -> None:
    plane = np.random.default_rng(height).random((height, width)) < share
    assert count_components(plane, rows) == components(plane).max(initial=0)


def test_a_spiral_across_many_rows_is_one_object() -> None:
    plane = np.zeros((41, 41), bool)
    for ring in range(0, 20, 2):
        plane[ring, ring : 41 - ring] = plane[ring : 41 - ring, 40 - ring] = True
        plane[40 - ring, ring : 41 - ring] = plane[ring + 2 : 41 - ring, ring] = True
        plane[ring + 2, ring : ring + 3] = True
    assert count_components(plane, 3) == components(plane).max() == 1
