from __future__ import annotations

import itertools

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pipeline.models.padding import mirror_to_multiple, mirrored

sides = st.integers(1, 40)


@given(sides, sides, st.integers(1, 70), st.integers(1, 70))
def test_padded_is_a_multiple_and_the_crop_brings_the_image_back(
    height: int, width: int, rows: int, columns: int
) -> None:
    images = torch.rand(2, 3, height, width)
    padded, crop = mirror_to_multiple(images, (rows, columns))
    assert padded.shape[-2] % rows == 0 and 0 <= padded.shape[-2] - height < rows
    assert padded.shape[-1] % columns == 0 and 0 <= padded.shape[-1] - width < columns
    assert torch.equal(crop(padded), images)


@given(sides, sides, st.integers(1, 70))
def test_padding_is_opencv_reflect_101(height: int, width: int, multiple: int) -> None:
    image = np.random.default_rng(0).random((height, width, 3), np.float32)
    padded, crop = mirror_to_multiple(torch.from_numpy(image.transpose(2, 0, 1))[None], multiple)
    bottom = padded.shape[-2] - height - crop.top
    right = padded.shape[-1] - width - crop.left
    expected = cv2.copyMakeBorder(image, crop.top, bottom, crop.left, right, cv2.BORDER_REFLECT_101)
    assert np.array_equal(padded[0].numpy().transpose(1, 2, 0), expected)
    assert 0 <= bottom - crop.top <= 1 and 0 <= right - crop.left <= 1


def test_image_that_fits_is_not_copied() -> None:
    images = torch.rand(1, 3, 32, 64)
    padded, crop = mirror_to_multiple(images, 32)
    assert padded is images and torch.equal(crop(padded), images)


@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_reflection_repeats_for_ever(size: int) -> None:
    line = mirrored(size, 23, 31).tolist()
    assert line[23 : 23 + size] == list(range(size))
    assert all(abs(a - b) == (size > 1) for a, b in itertools.pairwise(line))
