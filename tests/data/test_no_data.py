"""No-data neither spreads nor changes the pixels beside it, wherever images are resampled."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.config import AugmentConfig, FrameConfig
from pipeline.data.frame import into_frame
from pipeline.data.no_data import keeping_no_data
from pipeline.data.resize import resize_image
from pipeline.training.crop_view import draw_view


def _image(share: float = 0.1) -> np.ndarray:
    random = np.random.default_rng(0)
    image = random.normal(500, 3, (64, 64, 5)).astype(np.float32)
    image[random.random((64, 64)) < share] = np.nan
    return image


@pytest.mark.parametrize("flips", [(), ("horizontal", "vertical", "transpose")])
def test_a_crop_that_only_turns_pixels_keeps_them(flips: tuple[str, ...]) -> None:
    image = _image()
    settings = AugmentConfig.model_validate({"affine": 0, "flips": flips})
    for seed in range(8):
        crop = draw_view((64, 64), (64, 64), settings, np.random.default_rng(seed)).image(image)
        assert np.array_equal(np.sort(crop.ravel()), np.sort(image.ravel()), equal_nan=True)


@pytest.mark.parametrize("factor", [0.5, 2, 0.73])
def test_a_resized_image_lacks_as_much_and_invents_nothing(factor: float) -> None:
    image, size = _image(), (int(64 * factor), int(64 * factor))
    resized = resize_image(image, size)
    assert np.isnan(resized).mean() < 0.16
    there = resized[~np.isnan(resized)]
    assert np.nanmin(image) - 0.01 <= there.min() and there.max() <= np.nanmax(image) + 0.01
    nothing = resize_image(np.full((64, 64, 5), np.nan, np.float32), size)
    assert np.isnan(nothing).all()


def test_a_shift_by_half_a_pixel_takes_the_pixel_that_is_there() -> None:
    image = np.full((8, 8, 1), 7, np.float32)
    image[:, 4:] = np.nan
    moved = into_frame(image, FrameConfig(shift=(0.5, 0)))
    assert set(moved[~np.isnan(moved)].tolist()) == {7.0}
    assert np.isnan(moved).mean() == pytest.approx(0.5, abs=0.13)


def test_whole_images_are_moved_as_they_are() -> None:
    image = _image(share=0)
    assert keeping_no_data(image, lambda pixels: pixels) is image
    whole = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    assert keeping_no_data(whole, lambda pixels: pixels) is whole
