"""Presets of augmentation: they suit the images they are for, and every key of theirs yields."""

from __future__ import annotations

from typing import Any, get_args

import cv2
import numpy as np
import pytest
from pydantic import ValidationError

from pipeline.config import AugmentConfig
from pipeline.config.augmentation_presets import PRESETS, PresetName
from pipeline.data.image_sources.rgb import RgbImages
from pipeline.known_names import name_checks
from pipeline.manifests import fingerprint
from pipeline.training.augmentation import Augmenter
from pipeline.training.crop_view import draw_view
from pipeline.training.step_rehearsal import faulty_steps

NAMES = get_args(PresetName)


class Bands(RgbImages):
    """Five channels of floats."""

    channels = 5
    dtype = np.dtype(np.float32)
    blank = float("nan")


def _preset(name: str, **keys: Any) -> AugmentConfig:
    return AugmentConfig.model_validate({"preset": name, **keys}, context=name_checks())


def test_light_is_the_default() -> None:
    assert set(PRESETS) == set(NAMES)
    assert _preset("light") == AugmentConfig()
    assert fingerprint(_preset("light")) == fingerprint(AugmentConfig())


@pytest.mark.parametrize("name", NAMES)
def test_every_key_of_a_preset_can_be_overridden(name: str) -> None:
    assert fingerprint(_preset(name)) != fingerprint(AugmentConfig()) or name == "light"
    light = AugmentConfig()
    for key in PRESETS[name]:
        value = getattr(light, key)
        assert getattr(_preset(name), key) != value, f"{key} says nothing new"
        changed = _preset(name, **{key: value})
        assert getattr(changed, key) == value
    whole = _preset(name)
    assert AugmentConfig.model_validate(whole.model_dump()) == whole, "as experiment.yaml has it"


@pytest.mark.parametrize("name", NAMES)
def test_steps_of_presets_suit_photographs_and_bands(name: str) -> None:
    assert not list(faulty_steps(_preset(name), (64, 96), RgbImages()))
    assert not list(faulty_steps(_preset(name), (64, 96), Bands()))


@pytest.mark.parametrize("name", NAMES)
def test_presets_make_nothing_void_and_leave_gray_gray(name: str) -> None:
    gray = np.random.default_rng(0).integers(0, 256, (90, 90), dtype=np.uint8)
    image = np.repeat(gray[..., None], 3, axis=2)
    augment = Augmenter((48, 64), _preset(name))
    for seed in range(40):
        crop = augment(image, np.ones((1, 90, 90), np.uint8), None, [seed])
        assert crop.valid.all() and np.ptp(crop.image.astype(int), axis=2).max() <= 2


@pytest.mark.parametrize(
    ("step", "told"),
    [
        ("ISONoise", "3-channel"),
        ({"Affine": {"fill": 0.5}}, "fill: of data.bands"),
        ("Transpose", "96×64×5"),
    ],
)
def test_a_step_that_does_not_suit_bands_is_named(step: Any, told: str) -> None:
    (fault,) = faulty_steps(AugmentConfig(steps=(step, "Blur")), (64, 96), Bands())
    assert fault.startswith("train.augment.steps: ") and told in fault


def test_rare_faults_are_found_too() -> None:
    (fault,) = faulty_steps(
        AugmentConfig(steps=({"RandomRotate90": {}, "p": 0.01},)), (64, 96), RgbImages()
    )
    assert "RandomRotate90" in fault and "96×64" in fault


@pytest.mark.parametrize(
    "scale", [-0.1, 1, [0.5], [2.0, 0.5], [0.1, 1], [1, 9], [1, 2, 3], "x", True, [True, 2]]
)
def test_a_scale_that_is_none_is_refused(scale: Any) -> None:
    with pytest.raises(ValidationError, match="scale"):
        AugmentConfig(scale=scale)


@pytest.mark.parametrize(
    ("scale", "smallest", "largest"), [(0.5, 1 / 1.5, 1.5), ([0.5, 2.0], 0.5, 2), ([1, 3], 1, 3)]
)
def test_objects_become_as_small_and_as_large_as_said(
    scale: Any, smallest: float, largest: float
) -> None:
    settings = AugmentConfig(flips=(), affine=1, rotate=0, shift=0, scale=scale)
    image = np.zeros((160, 160, 3), np.uint8)
    cv2.rectangle(image, (60, 60), (99, 99), (255, 255, 255), -1)
    factors = []
    for seed in range(300):
        random = np.random.default_rng(seed)
        view = draw_view((160, 160), (160, 160), settings, random).image(image)
        factors.append(np.sqrt((view[..., 0] > 127).sum()) / 40)
    logs = np.log(factors)
    assert min(factors) >= smallest - 0.03 and max(factors) <= largest + 0.03
    assert logs.min() < np.log(smallest) + 0.1 and logs.max() > np.log(largest) - 0.1
    assert np.median(logs) == pytest.approx((np.log(smallest) + np.log(largest)) / 2, abs=0.12)
