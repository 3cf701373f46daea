"""Resizing: one rule for images and planes, at any size."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.data.resize import resize_image, resize_planes, working_size

SIZES = st.tuples(st.integers(1, 40), st.integers(1, 40))


def test_working_size_is_a_factor_or_fixed_or_the_images_own() -> None:
    assert working_size((30, 41), None) == (30, 41)
    assert working_size((30, 41), (7, 8)) == (7, 8)
    assert working_size((30, 41), 0.5) == (15, 20)
    assert working_size((3, 1000), 0.01) == (1, 10)


@given(SIZES, st.floats(0.01, 16))
def test_no_side_vanishes(size: tuple[int, int], factor: float) -> None:
    for before, after in zip(size, working_size(size, factor), strict=True):
        assert after >= 1
        assert after == 1 or abs(after - before * factor) <= 0.5


@settings(deadline=None)
@given(SIZES, SIZES, st.sampled_from([1, 3, 6]), st.integers(0, 255))
def test_a_flat_image_stays_flat(
    before: tuple[int, int], after: tuple[int, int], channels: int, value: int
) -> None:
    image = np.full((*before, channels), value, np.uint8)
    resized = resize_image(image, after)
    assert resized.shape == (*after, channels)
    assert resized.dtype == np.uint8
    assert (resized == value).all()


@settings(deadline=None)
@given(SIZES, SIZES, st.integers(1, 3), st.integers(0, 99))
def test_planes_stay_zero_or_one_and_apart(
    before: tuple[int, int], after: tuple[int, int], classes: int, seed: int
) -> None:
    planes = np.random.default_rng(seed).integers(0, 2, (classes, *before)).astype(np.uint8)
    planes[0] = 1
    resized = resize_planes(planes, after)
    assert resized.shape == (classes, *after)
    assert set(np.unique(resized)) <= {0, 1}
    assert resized[0].all()
    alone = [resize_planes(plane[None], after)[0] for plane in planes]
    assert np.array_equal(resized, alone)


@pytest.mark.parametrize("factor", [2, 3, 4])
def test_a_shrunken_pixel_is_inside_when_half_of_it_was(factor: int) -> None:
    random = np.random.default_rng(factor)
    plane = random.integers(0, 2, (12 * factor, 9 * factor)).astype(np.uint8)
    shares = plane.reshape(12, factor, 9, factor).mean(axis=(1, 3))
    assert np.array_equal(resize_planes(plane[None], (12, 9))[0], shares >= 0.5)


@pytest.mark.parametrize("factor", [2, 3])
def test_what_was_enlarged_shrinks_back(factor: int) -> None:
    plane = np.zeros((10, 14), np.uint8)
    plane[2:7, 3:11] = 1
    larger = resize_planes(plane[None], (10 * factor, 14 * factor))
    assert np.array_equal(resize_planes(larger, (10, 14))[0], plane)


def test_the_channels_of_image_and_reference_do_not_mix() -> None:
    image = np.random.default_rng(0).integers(0, 256, (20, 30, 6)).astype(np.uint8)
    both = resize_image(image, (13, 17))
    assert np.array_equal(both[..., :3], resize_image(image[..., :3].copy(), (13, 17)))
    assert np.array_equal(both[..., 3:], resize_image(image[..., 3:].copy(), (13, 17)))


def test_what_has_the_size_is_not_touched() -> None:
    image, planes = np.zeros((4, 5, 3), np.uint8), np.zeros((2, 4, 5), np.uint8)
    assert resize_image(image, (4, 5)) is image
    assert resize_planes(planes, (4, 5)) is planes


def test_multiclass_planes_give_every_pixel_to_one_class() -> None:
    random = np.random.default_rng(0)
    labels = random.integers(0, 4, (37, 53))
    planes = (labels == np.arange(4)[:, None, None]).astype(np.uint8)
    for size in ((12, 20), (60, 90)):
        assert (resize_planes(planes, size, multiclass=True).sum(axis=0) == 1).all()
    assert (resize_planes(planes, (12, 20)).sum(axis=0) != 1).any()
