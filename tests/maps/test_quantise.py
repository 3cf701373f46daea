"""Probabilities to stored numbers and back, against the slow definition."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pipeline.config.choices import MapDtype
from pipeline.errors import ArtefactError, TrainingError
from pipeline.maps.quantise import LARGEST_STORED, dequantise, quantise

DTYPES: list[MapDtype] = ["uint8", "uint16", "float16"]
# Half a step, and what float32 itself loses.
WORST = {"uint8": 0.5 / 255 + 1e-7, "uint16": 0.5 / 65535 + 1e-7, "float16": 2.0**-12 + 1e-7}
probabilities = hnp.arrays(
    np.float32, hnp.array_shapes(max_dims=3), elements=st.floats(0, 1, width=32)
)


@pytest.mark.parametrize("dtype", DTYPES)
@settings(deadline=None)  # the first call compiles
@given(values=probabilities)
def test_round_trip_within_half_a_step(dtype: MapDtype, values: np.ndarray) -> None:
    stored = quantise(values, dtype)
    assert stored.dtype == dtype
    assert stored.shape == values.shape
    back = dequantise(stored)
    assert back.dtype == np.float32
    assert np.abs(back.astype(np.float64) - values).max() <= WORST[dtype]
    assert back.min() >= 0
    assert back.max() <= 1


@settings(deadline=None)  # the first call compiles
@given(values=probabilities)
def test_rounds_and_does_not_truncate(values: np.ndarray) -> None:
    slow = [round(float(np.float32(value) * np.float32(255))) for value in values.ravel()]
    assert quantise(values, "uint8").ravel().tolist() == slow


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_every_stored_level_comes_back_as_itself(dtype: MapDtype) -> None:
    levels = np.arange(LARGEST_STORED[dtype] + 1).astype(dtype)
    assert np.array_equal(quantise(dequantise(levels), dtype), levels)
    assert dequantise(levels)[[0, -1]].tolist() == [0.0, 1.0]


@pytest.mark.parametrize("dtype", DTYPES)
def test_bad_values_are_refused_and_named(dtype: MapDtype) -> None:
    good = np.full((1, 9, 7), 0.5, np.float32)
    for bad, error, words in [
        (np.nan, TrainingError, "NaN"),
        (-3.25, ArtefactError, "-3.25 to 0.5"),
        (7.5, ArtefactError, "0.5 to 7.5"),
        (np.inf, ArtefactError, "inf"),
    ]:
        values = good.copy()
        values[0, 4, 5] = bad
        with pytest.raises(error, match=words):
            quantise(values, dtype)


@pytest.mark.parametrize("dtype", DTYPES)
def test_rounding_errors_of_the_network_are_no_mistake(dtype: MapDtype) -> None:
    values = np.array([-1e-6, 1 + 1e-6], np.float32)
    assert dequantise(quantise(values, dtype)).tolist() == [0.0, 1.0]


@pytest.mark.parametrize("dtype", DTYPES)
def test_any_memory_order_and_a_given_buffer(dtype: MapDtype) -> None:
    values = np.random.default_rng(0).random((5, 6, 7), dtype=np.float32)
    out = np.empty((7, 6, 5), dtype)
    assert quantise(values.T, dtype, out) is out
    assert np.array_equal(out, quantise(values, dtype).T)
