"""What a device quantises is, number by number, what the host would."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pipeline.config.choices import MapDtype
from pipeline.inference.device_quantise import in_range, quantised
from pipeline.maps.quantise import HIGHEST, LOWEST, quantise

DTYPES: list[MapDtype] = ["uint8", "uint16", "float16"]


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_number_is_the_host_s(dtype: MapDtype) -> None:
    levels = 65535 if dtype == "uint16" else 255
    middles = (np.arange(levels) + 0.5) / levels
    near = [np.nextafter(np.float32(middles), np.float32(to)) for to in (0, 1)]
    ends = [np.float32([LOWEST, 0, 1, HIGHEST])]
    random = np.random.default_rng(0).random(100_000, np.float32)
    values = np.concatenate([np.float32(middles), *near, *ends, random])
    maps = torch.from_numpy(values)
    assert in_range(maps)
    np.testing.assert_array_equal(quantised(maps, dtype).numpy(), quantise(values, dtype))


@given(st.floats(width=32))
def test_only_probabilities_are_in_range(value: float) -> None:
    assert bool(in_range(torch.tensor([0.5, value]))) == (LOWEST <= np.float32(value) <= HIGHEST)


@pytest.mark.parametrize("dtype", DTYPES)
def test_what_is_quantised_already_is_stored_as_it_is(dtype: MapDtype) -> None:
    stored = quantise(np.random.default_rng(0).random((2, 5, 7), np.float32), dtype)
    assert quantise(stored, dtype) is stored
    out = np.empty_like(stored)
    assert quantise(stored, dtype, out) is out
    np.testing.assert_array_equal(out, stored)
