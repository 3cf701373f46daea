"""What a network is shown of bands, by each rule, is what NumPy makes of them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pipeline.channels import Channels, ShownBand
from pipeline.config import ModelSpec
from pipeline.config.bands import parse_rule
from pipeline.models.band_input import BandInput, BandStatistics
from pipeline.models.factory import build_model
from pipeline.training.band_statistics import RunningStatistics
from pipeline.training.ema import MovingAverage

KNOWN = [
    BandStatistics(300.0, 40.0, 100.0, 900.0, {1.0: 150.0, 99.0: 700.0}),
    BandStatistics(-2.0, 0.5, -9.0, 4.0, {1.0: -6.0, 99.0: 1.0}),
    BandStatistics(7.0, 0.0, 7.0, 7.0, {1.0: 7.0, 99.0: 7.0}),
]
RGB_MEAN, RGB_STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]


def _seen(rule: str, numbers: list[int], images: np.ndarray, scale: float = 1) -> np.ndarray:
    """After the encoder's own normalisation."""
    shown = tuple(ShownBand(number, parse_rule(rule)) for number in numbers)
    channels = Channels(3, scale=scale, shown=shown)
    mean, std = (torch.tensor(each).view(1, 3, 1, 1) for each in (RGB_MEAN, RGB_STD))
    layer = BandInput(channels, mean, std)
    layer.measured(KNOWN)
    return ((layer(torch.from_numpy(images) / scale) - mean) / std).numpy()


def _images() -> np.ndarray:
    random = np.random.default_rng(0)
    images = random.normal([300, -2, 7], [60, 2, 0], (2, 8, 9, 3)).astype(np.float32)
    images[0, :2, :3] = np.nan
    return images.transpose(0, 3, 1, 2)


@pytest.mark.parametrize(
    ("rule", "low", "high"),
    [
        ("minmax", [100, -9, 7], [900, 4, 8]),
        ("percentile(1, 99)", [150, -6, 7], [700, 1, 8]),
        ("range(0, 1000)", [0, 0, 0], [1000, 1000, 1000]),
        ("window(300, 100)", [250, 250, 250], [350, 350, 350]),
        ("encoder", [0, 0, 0], [255, 255, 255]),
    ],
)
@pytest.mark.parametrize("scale", [1, 255])
def test_a_range_becomes_that_of_photographs(
    rule: str, low: list[float], high: list[float], scale: float
) -> None:
    images, order = _images(), [2, 0, 1]
    ends = np.array([low, high], np.float64)[:, order, None, None]
    stretched = ((images[:, order] - ends[0]) / (ends[1] - ends[0])).clip(0, 1)
    mean, std = (np.array(each)[:, None, None] for each in (RGB_MEAN, RGB_STD))
    expected = np.nan_to_num((stretched - mean) / std, nan=0)
    assert np.allclose(_seen(rule, order, images, scale), expected, atol=2e-5)


@pytest.mark.parametrize("scale", [1, 255])
def test_zscore_has_mean_0_and_deviation_1(scale: float) -> None:
    images = _images()
    known = np.array([[each.mean, each.deviation or 1] for each in KNOWN])[:, :, None, None]
    expected = np.nan_to_num((images - known[:, 0]) / known[:, 1], nan=0)
    assert np.allclose(_seen("zscore", [0, 1, 2], images, scale), expected, atol=2e-4)


def test_a_network_gives_the_same_for_bands_it_is_not_shown() -> None:
    shown = tuple(ShownBand(number, parse_rule("zscore")) for number in (1, 3, 4, 0))
    channels = Channels(6, references=True, scale=1, shown=shown)
    spec = ModelSpec(decoder="unet", encoder="test_resnet", weights=None)
    network = build_model(spec, classes=2, channels=channels).eval()
    images = torch.randn(1, 12, 40, 50)
    images[:, :, :5, :5] = torch.nan
    other = images.clone()
    other[:, [2, 5, 8, 11]] = 99
    with torch.no_grad():
        first, second = network(images), network(other)
    assert first.isfinite().all() and torch.equal(first, second)
    other[:, 3] += 1
    with torch.no_grad():
        assert not torch.equal(network(images), network(other))


def test_a_moving_average_keeps_the_numbers() -> None:
    channels = Channels(3, scale=1, shown=(ShownBand(0, parse_rule("zscore")),) * 3)
    spec = ModelSpec(decoder="linknet", encoder="test_resnet", weights=None)
    network = build_model(spec, classes=1, channels=channels)
    assert network.bands is not None
    network.bands.measured(KNOWN)
    average = MovingAverage(network, 0.9)
    average.update(network, 1)
    before, after = network.bands.state_dict(), average.network.bands.state_dict()
    assert before.keys() == after.keys() and len(before) == 4
    assert all(torch.equal(before[key], after[key]) for key in before)


@pytest.mark.parametrize(
    "text",
    ["", "z-score", "percentile", "percentile(1)", "percentile(99, 1)", "percentile(-1, 50)",
     "range(a, b)", "range(2, 1)", "window(1, 0)", "zscore(1)", "range(0, inf)", "range(0, nan)",
     "range(0,, 1)", "minmax()x", "percentile(1, 99"],
)  # fmt: skip
def test_rules_that_are_none(text: str) -> None:
    with pytest.raises(ValueError):
        parse_rule(text)


def test_the_rounding_of_a_constant_band_is_no_deviation() -> None:
    random = np.random.default_rng(0)
    band = np.full((64, 64), 0.1, np.float32) + random.normal(0, 1e-9, (64, 64))
    running = RunningStatistics()
    running.add(band.astype(np.float32))
    running.add(np.full((3, 3), 0.1, np.float32))
    assert not running.finish("x", [1, 99]).varies
    assert _seen("zscore", [2, 2, 2], np.full((1, 3, 4, 4), 7.001, np.float32)).max() < 0.01
