"""Steps of albumentations: they keep image and truth together, and depend on their seed alone."""

from __future__ import annotations

import itertools
from typing import Any

import cv2
import numpy as np
import pytest
from pydantic import ValidationError
from scipy.stats import chi2_contingency

from pipeline.config import AugmentConfig
from pipeline.config.augmentation_steps import AugmentStep, parse_step
from pipeline.errors import ConfigError
from pipeline.known_names import name_checks
from pipeline.training.augmentation import Augmenter
from pipeline.training.augmentation_steps import Shown, Steps
from pipeline.training.transforms import is_spatial, known_transforms, make_transform

SIZE = (48, 64)
HOLES = ("CoarseDropout", "GridDropout", "Erasing", "PixelDropout", "XYMasking",
         "TimeMasking", "FrequencyMasking")  # fmt: skip
SLOW = ("Superpixels", "PiecewiseAffine")


def _usable() -> list[str]:
    """Every transform that works without arguments and keeps the size of a crop."""
    names = []
    for name in known_transforms():
        try:
            steps = Steps([{name: {}, "p": 1.0}])
            for seed in range(4):
                steps(_blobs(), np.random.default_rng(seed))
        except ConfigError:
            continue
        names.append(name)
    return [name for name in names if name not in SLOW]


def _blobs(channels: int = 3, dtype: Any = np.uint8) -> Shown:
    """Bright where the first plane is 1; all further planes alike; nothing void."""
    noise = cv2.GaussianBlur(np.random.default_rng(3).normal(size=SIZE), (0, 0), 4)
    plane = (noise > 0).astype(np.uint8)
    image = np.repeat((40 + 170 * plane)[..., None], channels, axis=2).astype(dtype)
    return Shown([image, image.copy()], np.stack([plane] * 6), np.ones(SIZE, np.uint8))


USABLE = _usable()


def test_most_transforms_can_be_used() -> None:
    assert len(USABLE) > 55


@pytest.mark.parametrize("name", USABLE)
def test_truth_stays_on_its_image_and_the_seed_decides(name: str) -> None:
    steps, shown = Steps([{name: {}, "p": 1.0}]), _blobs()
    spatial = is_spatial(make_transform(AugmentStep(name, {}, 1.0)))
    for seed in range(4):
        moved = steps(shown, np.random.default_rng(seed))
        again = steps(shown, np.random.default_rng(seed))
        assert all((a == b).all() for a, b in zip(moved.images, again.images, strict=True))
        assert (moved.planes == again.planes).all() and (moved.valid == again.valid).all()
        assert set(np.unique(moved.valid)) <= {0, 1} and (moved.planes == moved.planes[0]).all()
        if not spatial:
            assert (moved.planes == shown.planes).all() and moved.valid.all()
            continue
        assert (moved.images[0] == moved.images[1]).all(), "image and reference move alike"
        if name not in HOLES:
            counted = moved.valid > 0
            wrong = ((moved.images[0][..., 0] > 125) != moved.planes[0])[counted]
            assert wrong.mean() < 0.06, "bilinear against nearest: edges alone"


@pytest.mark.parametrize("name", [name for name in USABLE if name != "PlanckianJitter"])
def test_bands_keep_their_units_and_their_lack_of_data(name: str) -> None:
    shown = _blobs(5, np.float32)
    image = shown.images[0] * np.float32(100) - np.float32(9000)
    image[:9, :9, 2] = np.nan
    steps = Steps([{name: {}, "p": 1.0}])
    try:
        moved = steps(shown._replace(images=[image]), np.random.default_rng(1)).images[0]
    except ConfigError as error:
        assert name in str(error) and "float32" in str(error)
        return
    there = moved[~np.isnan(moved)]
    assert moved.dtype == np.float32 and np.isnan(moved).any()
    assert there.min() > -5500 and there.max() < 12500, "within the range of the band, ±10 %"


def test_what_comes_from_outside_is_void_or_mirrored() -> None:
    for border, void in ((cv2.BORDER_CONSTANT, True), (cv2.BORDER_REFLECT_101, False)):
        step = {"Affine": {"translate_px": [20, 20], "border_mode": border}, "p": 1.0}
        valid = Steps([step])(_blobs(), np.random.default_rng(0)).valid
        assert (valid == 0).any() == void


def test_void_moves_with_the_image() -> None:
    shown = _blobs()
    moved = Steps([{"Affine": {"rotate": [30, 30]}, "p": 1.0}])(
        shown._replace(valid=shown.planes[0]), np.random.default_rng(0)
    )
    assert (moved.valid == moved.planes[0]).all()


def test_no_step_depends_on_another() -> None:
    names = ("HorizontalFlip", "VerticalFlip", "InvertImg")
    augment = Augmenter(
        (32, 32),
        AugmentConfig(flips=("horizontal",), affine=0, colour=0, steps=names),
    )
    planes = np.indices((32, 32)).astype(np.uint8)
    seen = []
    for position in range(1500):
        image, moved, *_ = augment(np.full((32, 32, 3), 50, np.uint8), planes, None, [0, position])
        own = np.random.default_rng([0, position]).spawn(4)[0].random(3)[2] < 0.5
        left = moved[1, 0, 0] > moved[1, 0, 31]
        seen.append((own, left != own, moved[0, 0, 0] > moved[0, 31, 0], image[0, 0, 0] > 99))
    choices = np.array(seen)
    assert ((choices.mean(axis=0) > 0.45) & (choices.mean(axis=0) < 0.55)).all()
    for one, other in itertools.combinations(range(4), 2):
        pair = choices[:, one] * 2 + choices[:, other]
        table = np.bincount(pair, minlength=4).reshape(2, 2)
        assert chi2_contingency(table).pvalue > 1e-4, (one, other, table)


def test_a_step_is_applied_as_often_as_it_says() -> None:
    for p in (0.0, 0.2, 1.0):
        steps = Steps([{"InvertImg": {}, "p": p}])
        shown = _blobs()
        changed = [
            [(image != shown.images[0]).any() for image in steps(shown, random).images]
            for random in map(np.random.default_rng, range(400))
        ]
        assert np.mean(changed, axis=0) == pytest.approx([p, p], abs=0.07 * (0 < p < 1))
        if p == 0.2:
            both = np.mean([all(each) for each in changed])
            assert both == pytest.approx(p * p, abs=0.03), "reference by itself"


def _mistakes(*steps: Any) -> str:
    with pytest.raises(ValidationError) as caught:
        AugmentConfig.model_validate({"steps": list(steps)}, context=name_checks())
    return str(caught.value)


@pytest.mark.parametrize(
    ("step", "told"),
    [
        ("GausNoise", "GaussNoise"),
        ({"GaussNoise": {"std_rang": [0, 1]}}, "no argument 'std_rang'; did you mean std_range"),
        ({"GaussNoise": {"std_range": [0, 7]}}, "GaussNoise.std_range"),
        ({"GaussNoise": {"std_range": "x"}}, "GaussNoise.std_range"),
        ({"GaussNoise": {"p": 0.3}}, "beside the name"),
        ({"GaussNoise": {}, "p": 2}, "p is 2"),
        ({"GaussNoise": {}, "p": True}, "p is True"),
        ({"GaussNoise": [1]}, "{key: value}"),
        ({"GaussNoise": {}, "Blur": {}}, "is no step"),
        ({}, "is no step"),
        ({"GaussNoise": {"mean_range": [float("nan"), 1]}}, "not a finite number"),
        ("RandomCrop", "RandomCrop.height"),
        ("HistogramMatching", "hm_metadata"),
        ("Mosaic", "train.augment.mosaic"),
        ("BBoxSafeRandomCrop", "boxes"),
        ("Morphological", "mask"),
        ("Lambda", "functions"),
        ("RandomCrop3D", "volumes"),
        ({"Affine": {"fill_mask": 1}}, "Affine.fill_mask"),
        ({"Affine": {"mask_interpolation": 1}}, "Affine.mask_interpolation"),
    ],
)
def test_a_mistake_in_a_step_is_named(step: Any, told: str) -> None:
    message = _mistakes("Blur", step)
    assert told in message and "pydantic.dev/2" not in message.partition("[type=")[0]


def test_all_forms_of_a_step_are_one() -> None:
    forms = ["Blur", {"Blur": None}, {"Blur": {}}, {"p": 0.5, "Blur": {}}]
    assert {parse_step(each).p for each in forms} == {0.5}
    written = [AugmentConfig(steps=(each,)).model_dump() for each in forms]
    assert all(each == written[0] for each in written)
    assert AugmentConfig.model_validate(written[0]).model_dump() == written[0]


@pytest.mark.parametrize(
    ("step", "told"),
    [
        ("RandomRotate90", "64"),
        ("ToFloat", "float"),
        ({"RandomCrop": {"height": 300, "width": 9}}, "300"),
        ({"CenterCrop": {"height": 9, "width": 9}}, "9×9"),
    ],
)
def test_a_step_that_changes_size_or_type_is_an_error(step: Any, told: str) -> None:
    steps = Steps([step if isinstance(step, dict) else {step: {}, "p": 1.0}])
    with pytest.raises(ConfigError, match=f"train.augment.steps: .*{told}"):
        for seed in range(20):
            steps(_blobs(), np.random.default_rng(seed))
