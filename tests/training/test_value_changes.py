"""Changes of bands: each by itself, no-data stays, and drops as often as asked."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.config import AugmentConfig
from pipeline.training.value_changes import BandChange


def _image(seed: int = 0) -> np.ndarray:
    random = np.random.default_rng(seed)
    image = random.normal([1000, -3, 0.2], [200, 1, 0.05], (24, 30, 3)).astype(np.float32)
    image[:4, :5] = np.nan
    return image


def _changed(settings: AugmentConfig, draws: int) -> list[np.ndarray]:
    change = BandChange(settings)
    found = []
    for seed in range(draws):
        change.begin(np.random.default_rng(seed))
        found.append(change(_image())[0])
    return found


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_as_many_are_changed_as_asked(share: float) -> None:
    image = _image()
    found = _changed(AugmentConfig(colour=share), 300)
    changed = [not np.array_equal(each, image, equal_nan=True) for each in found]
    assert abs(np.mean(changed) - share) < 0.09
    assert all(np.array_equal(np.isnan(each), np.isnan(image)) for each in found)
    assert all(each.dtype == np.float32 for each in found)


def test_changes_are_relative_to_each_band_and_independent() -> None:
    image = _image()
    found = np.stack(_changed(AugmentConfig(colour=1, strength=0.2), 300))
    there = ~np.isnan(image[..., 0])
    moved = (found[:, there] - image[there]).mean(axis=1) / image[there].std(axis=0)
    assert (np.abs(moved) < 0.6).all()
    assert (moved.std(axis=0) > 0.05).all()
    correlation = np.corrcoef(moved.T)
    assert np.abs(correlation[np.triu_indices(3, 1)]).max() < 0.2


def test_a_band_drops_out_as_often_as_asked_each_like_the_others() -> None:
    found = _changed(AugmentConfig(colour=0, band_drop=0.5), 600)
    dropped = [np.flatnonzero(np.isnan(each).all(axis=(0, 1))) for each in found]
    assert all(len(each) <= 1 for each in dropped)
    counts = np.bincount([each[0] for each in dropped if len(each)], minlength=3)
    assert abs(counts.sum() / 600 - 0.5) < 0.07
    assert ((counts - counts.mean()) ** 2 / counts.mean()).sum() < 13.8  # chi², 2 degrees, 0.1 %


def test_a_constant_and_an_empty_band_stay() -> None:
    image = np.full((8, 8, 2), 5, np.float32)
    image[..., 1] = np.nan
    change = BandChange(AugmentConfig(colour=1))
    change.begin(np.random.default_rng(0))
    assert np.array_equal(change(image)[0], image, equal_nan=True)
