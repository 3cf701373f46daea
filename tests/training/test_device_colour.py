"""Colours changed on the device are those that albumentations would have made."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline.config import AugmentConfig
from pipeline.errors import InterruptedRunError
from pipeline.training.augmentation import Augmenter, Crop
from pipeline.training.device_colour import change_colours
from pipeline.training.drawn_colour import UNCHANGED
from pipeline.training.staged import train_member
from tests.helpers.competitions import draw_discs
from tests.helpers.training_jobs import StopAtStep, job_context, member_bytes, train_job

SIZE = (48, 64)


def _crops(where: str, channels: int, **settings: object) -> list[Crop]:
    augment = Augmenter(
        SIZE, AugmentConfig.model_validate({"colour_on": where, "colour": 0.7, **settings})
    )
    random = np.random.default_rng(0)
    rows, columns = np.mgrid[:60, :80]
    waves = [np.sin(rows / (5 + k)) * np.cos(columns / (7 + k)) for k in range(channels)]
    smooth = 128 + 100 * np.stack(waves, axis=2)
    image = (smooth + random.normal(0, 8, smooth.shape)).clip(0, 255).astype(np.uint8)
    planes = (rows > columns)[None].astype(np.uint8)
    return [augment(image, planes, None, [3, 1, position]) for position in range(60)]


def _on_device(crops: list[Crop]) -> list[np.ndarray]:
    images = torch.stack([torch.from_numpy(crop.image.transpose(2, 0, 1)) for crop in crops])
    drawn = torch.stack([torch.from_numpy(crop.colour) for crop in crops])
    return list(change_colours(images, drawn).numpy().transpose(0, 2, 3, 1))


@pytest.mark.parametrize("channels", [3, 6])
@pytest.mark.parametrize("reference_drop", [0, 0.5])
def test_the_draws_are_the_same_and_pixels_differ_by_rounding(
    channels: int, reference_drop: float
) -> None:
    settings = {"reference_drop": reference_drop, "strength": 0.4}
    there = _crops("cpu", channels, **settings)
    here = _crops("device", channels, **settings)
    changed, bias = 0, []
    for done, crop, pixels in zip(there, here, _on_device(here), strict=True):
        assert np.array_equal(done.planes, crop.planes)
        assert np.array_equal(done.colour, np.stack([UNCHANGED] * (channels // 3)))
        changed += not np.array_equal(pixels, crop.image)
        apart = pixels.astype(int) - done.image
        # OpenCV keeps hue in 180 steps: a few levels at strong colours
        assert np.abs(apart).mean() < 3 and np.quantile(np.abs(apart), 0.99) <= 12
        bias.append(apart.mean())
    assert 0.5 * len(here) < changed and abs(np.mean(bias)) < 0.3


def test_a_share_of_none_changes_nothing() -> None:
    crops = _crops("device", 3, colour=0)
    assert all(np.array_equal(crop.colour, UNCHANGED[None]) for crop in crops)
    for crop, pixels in zip(crops, _on_device(crops), strict=True):
        assert np.array_equal(crop.image, pixels)


def test_a_dropped_reference_stays_blank() -> None:
    crops = _crops("device", 6, reference_drop=1)
    for pixels in _on_device(crops):
        assert len(np.unique(pixels[..., 3:])) == 1


@pytest.mark.slow
def test_a_training_applies_them_and_resumes_with_the_same_bytes(tmp_path: Path) -> None:
    draw_discs(tmp_path / "discs", count=16)
    members = {}
    for name, where in (("cpu", "cpu"), ("whole", "device"), ("broken", "device")):
        augment = {"colour": 1.0, "colour_on": where, "affine": 0, "flips": []}
        job = train_job(tmp_path / "discs", tmp_path / name, augment=augment)
        if name == "broken":
            with pytest.raises(InterruptedRunError):
                train_member(job, job_context(tmp_path, StopAtStep(3)))
        train_member(job, job_context(tmp_path))
        members[name] = member_bytes(job.paths.folder)
    assert members["broken"] == members["whole"] != members["cpu"]
    losses = [(tmp_path / name / "runs").rglob("history.csv") for name in ("cpu", "whole")]
    first, second = (
        np.loadtxt(next(each), delimiter=",", skiprows=1, usecols=1)[0] for each in losses
    )
    assert first == pytest.approx(second, rel=0.05)
