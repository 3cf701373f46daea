"""What losses derive from planes: skeletons, distances, erosions with gradients."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from pipeline.models.losses.distances import distances_to_other_side, signed_distances
from pipeline.models.losses.morphology import dilate, erode
from pipeline.models.losses.skeletons import skeleton
from pipeline.models.losses.truth import Truth

Mask = NDArray[np.bool_]
MASKS = arrays(np.bool_, st.tuples(st.integers(1, 9), st.integers(1, 9)))


def objects(mask: Mask) -> int:
    return int(cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)[0]) - 1


@settings(max_examples=200, deadline=None)
@given(MASKS)
def test_a_skeleton_is_inside_and_keeps_every_object_whole(mask: Mask) -> None:
    thin = skeleton(mask)
    assert thin.shape == mask.shape and not (thin & ~mask).any()
    assert objects(thin) == objects(mask)
    np.testing.assert_array_equal(skeleton(mask.T.copy()).any(), mask.any())


def test_a_thick_line_becomes_a_thin_one_in_its_middle() -> None:
    mask = np.zeros((40, 60), bool)
    mask[15:24, 5:55] = True
    thin = skeleton(mask)
    assert (thin[:, 12:48].sum(axis=0) == 1).all() and thin[19, 12:48].all()
    assert skeleton(thin).sum() == thin.sum()


def test_a_ring_stays_a_ring() -> None:
    plane = np.zeros((50, 50), np.uint8)
    cv2.circle(plane, (25, 25), 15, 1, 7)
    thin = skeleton(plane > 0)
    assert objects(thin) == 1 and objects(~thin) == 1
    assert cv2.connectedComponents((~thin).astype(np.uint8), connectivity=4)[0] - 1 == 2
    assert thin.sum() < 110


@settings(max_examples=50, deadline=None)
@given(MASKS, st.randoms(use_true_random=False))
def test_distances_have_the_sides_of_their_pixels(mask: Mask, random: object) -> None:
    distances = distances_to_other_side(mask, ~mask)
    signed = signed_distances(mask, ~mask)
    if mask.all() or not mask.any():
        assert not distances.any() and not signed.any()
        return
    assert (distances >= 1).all() and (signed[mask] <= 0).all() and (signed[~mask] >= 1).all()
    # OpenCV's distances may differ in the last bit
    np.testing.assert_allclose(distances, distances_to_other_side(~mask, mask), rtol=1e-6)


def test_a_void_pixel_is_no_boundary() -> None:
    """Truth below void pixels is anything; the nearest known pixel of the other side counts."""
    planes = torch.zeros(1, 1, 1, 7)
    planes[..., :3] = 1
    valid = torch.ones(1, 1, 1, 7)
    valid[..., 2:5] = 0
    for below in (0.0, 1.0):
        planes[..., 2:5] = below
        distances = Truth(planes, valid, multiclass=False).distances
        assert distances.flatten().tolist() == [5, 4, 0, 0, 0, 4, 5]


def test_a_map_is_made_where_the_classes_are() -> None:
    planes = torch.zeros(2, 3, 8, 9)
    planes[1, 2, 2:6, 3:6] = 1
    truth = Truth(planes, torch.ones(2, 1, 8, 9), multiclass=False)
    for made in (truth.distances, truth.signed_distances, truth.skeletons):
        found = made.flatten(2).abs().sum(dim=2) > 0
        assert found.nonzero().tolist() == [[1, 2]] and made.dtype == torch.float32


def pooled(planes: Tensor) -> Tensor:
    across = F.max_pool2d(-planes, (1, 3), stride=1, padding=(0, 1))
    return -across.maximum(F.max_pool2d(-planes, (3, 1), stride=1, padding=(1, 0)))


@pytest.mark.parametrize("size", [(9, 7), (1, 5), (1, 1)])
def test_erosion_is_pooling_with_its_gradient(size: tuple[int, int]) -> None:
    planes = torch.rand(2, 2, *size, generator=torch.Generator().manual_seed(0))
    free, factors = planes.clone().requires_grad_(), torch.randn(planes.shape)
    assert torch.equal(erode(planes), pooled(planes))
    assert torch.equal(dilate(planes), dilate(free).detach())
    ours, theirs = (torch.autograd.grad((f(free) * factors).sum(), free) for f in (erode, pooled))
    torch.testing.assert_close(ours, theirs)


def test_the_gradient_of_equal_pixels_is_passed_once() -> None:
    flat = torch.ones(1, 1, 6, 6, requires_grad=True)
    (gradient,) = torch.autograd.grad(erode(flat).sum(), flat)
    assert gradient.sum() == 36
