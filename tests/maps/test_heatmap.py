"""A heat map shows more for more."""

from __future__ import annotations

import numpy as np

from pipeline.maps.heatmap import heat_map


def test_brightness_grows_with_probability() -> None:
    ramp = np.linspace(0, 1, 256, dtype=np.float32).reshape(1, 256).repeat(3, axis=0)
    picture = heat_map(ramp)
    assert picture.shape == (3, 256, 3)
    assert picture.dtype == np.uint8
    brightness = picture[0] @ np.array([0.3, 0.59, 0.11])
    assert (np.diff(brightness) > -1).all()
    assert brightness[-1] - brightness[0] > 150


def test_red_comes_first() -> None:
    low, high = heat_map(np.array([[0, 1]], np.float32))[0]
    assert low[2] > low[0]  # dark blue
    assert high[0] > high[2]  # yellow
