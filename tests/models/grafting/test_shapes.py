from __future__ import annotations

import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from pipeline.models.grafting.shapes import Layout, from_nchw, read_feature_shape, to_nchw

SIZE = (224, 448)


@given(
    stride=st.sampled_from([2, 4, 7, 8, 14, 16, 32]),
    channels=st.integers(1, 4096),
    lost=st.integers(0, 1),
)
def test_maps_are_read_in_both_layouts(stride: int, channels: int, lost: int) -> None:
    height, width = SIZE[0] // stride - lost, SIZE[1] // stride - lost
    # so many channels would be as good a side of a map
    assume(abs(channels - 2 * width) > 4 and abs(2 * channels - height) > 4)
    for shape, layout in (
        ((1, channels, height, width), "NCHW"),
        ((1, height, width, channels), "NHWC"),
    ):
        found = read_feature_shape(shape, SIZE)
        assert found is not None
        assert (found.stride, found.layout, found.channels) == (stride, layout, channels)


@pytest.mark.parametrize("prefix", [0, 1, 2, 5])
@pytest.mark.parametrize("stride", [8, 14, 16, 32])
def test_tokens_are_read_with_their_prefix(stride: int, prefix: int) -> None:
    count = (SIZE[0] // stride) * (SIZE[1] // stride) + prefix
    found = read_feature_shape((1, count, 192), SIZE)
    assert found is not None
    assert (found.stride, found.prefix, found.channels) == (stride, prefix, 192)


@pytest.mark.parametrize("shape", [(1, 8), (1, 3, 392, 392), (1, 64, 1, 1), (1, 50, 64)])
def test_what_is_no_map_is_none(shape: tuple[int, ...]) -> None:
    assert read_feature_shape(shape, SIZE) is None


@pytest.mark.parametrize("layout", ["NCHW", "NHWC", "tokens"])
def test_layouts_come_back(layout: Layout) -> None:
    feature = torch.rand(2, 5, 3, 4)
    laid_out = from_nchw(feature, layout)
    assert torch.equal(to_nchw(laid_out, layout, 0, (3, 4)), feature)
