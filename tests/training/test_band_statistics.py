"""Statistics of bands, image after image, are those of all pixels together."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import DataError
from pipeline.training.band_statistics import SAMPLED, RunningStatistics


@given(
    st.lists(st.integers(1, 40), min_size=1, max_size=5),
    st.sampled_from([0.0, 1e-3, 1e6]),
    st.integers(0, 99),
)
def test_as_of_all_pixels_at_once(sides: list[int], offset: float, seed: int) -> None:
    random = np.random.default_rng(seed)
    bands = [(offset + random.normal(0, 1, (side, 7))).astype(np.float32) for side in sides]
    for band in bands:
        band[random.random(band.shape) < 0.2] = np.nan
    running = RunningStatistics()
    for band in bands:
        running.add(band)
    values = np.concatenate([band[~np.isnan(band)] for band in bands]).astype(np.float64)
    if not values.size:
        with pytest.raises(DataError, match="band nir has no data"):
            running.finish("nir", [])
        return
    found = running.finish("nir", [1, 99])
    assert found.mean == pytest.approx(values.mean(), rel=1e-9, abs=1e-9)
    assert found.deviation == pytest.approx(values.std(), rel=1e-6, abs=1e-9)
    assert (found.lowest, found.highest) == (values.min(), values.max())
    expected = np.percentile(np.asarray(values, np.float32), [1, 99])
    assert [found.percentiles[1], found.percentiles[99]] == pytest.approx(expected.tolist())


def test_percentiles_of_large_images_are_those_of_a_grid() -> None:
    random = np.random.default_rng(1)
    band = random.normal(0, 1, (1000, 900)).astype(np.float32)
    running = RunningStatistics()
    running.add(band)
    assert sum(each.size for each in running.sampled) < 1.3 * SAMPLED
    found = running.finish("x", [5, 95])
    assert found.percentiles[5] == pytest.approx(np.percentile(band, 5), abs=0.12)
    assert found.percentiles[95] == pytest.approx(np.percentile(band, 95), abs=0.12)
