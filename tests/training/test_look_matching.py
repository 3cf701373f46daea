"""Samples that look like test images: their histograms, against those of the images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pipeline.errors import ConfigError
from pipeline.stages import train
from pipeline.training.dataset import TrainingSet
from pipeline.training.look_matching import looked_at, matched, quantiles
from pipeline.training.loop import TrainingRun
from pipeline.training.sampling import Key
from tests.helpers.competitions import context, draw_discs
from tests.helpers.training_jobs import job_context


@pytest.fixture
def discs(tmp_path: Path) -> Path:
    """Test images are all dark and reddish."""
    folder = tmp_path / "discs"
    draw_discs(folder)
    for path in (folder / "test").iterdir():
        pixels = np.asarray(Image.open(path)) // np.array([2, 6, 9])
        Image.fromarray(pixels.astype(np.uint8)).save(path)
    return folder


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_all_the_way_is_the_other_distribution(dtype: Any) -> None:
    random = np.random.default_rng(0)
    image = random.gamma(2, 20, (80, 90, 3)).clip(0, 255).astype(dtype)
    other = random.normal(120, 30, (70, 60, 3)).clip(0, 255).astype(dtype)
    found = quantiles(matched(image, quantiles(other), 1.0))
    assert np.abs(found - quantiles(other))[:, 8:-8].max() < 4  # few pixels are beyond
    np.testing.assert_array_equal(matched(image, quantiles(other), 0.0), image)
    half = matched(image, quantiles(other), 0.5).astype(float)
    whole = matched(image, quantiles(other), 1.0).astype(float)
    assert np.abs(half - (whole + image) / 2).max() <= 0.5


def test_order_and_no_data_stay() -> None:
    image = np.arange(16, dtype=np.float32).reshape(4, 4, 1)
    image[0, 0] = np.nan
    wanted = quantiles(np.full((4, 4, 1), 7, np.float32) + np.eye(4, dtype=np.float32)[..., None])
    out = matched(image, wanted, 1.0)
    assert np.isnan(out[0, 0, 0]) and (np.diff(out.ravel()[1:]) >= 0).all()
    assert np.array_equal(
        matched(image, np.full((1, 256), np.nan, np.float32), 1.0), image, equal_nan=True
    )


def test_a_flat_image_becomes_the_median() -> None:
    other = np.random.default_rng(0).integers(0, 200, (50, 50, 1)).astype(np.uint8)
    out = matched(np.full((8, 8, 1), 40, np.uint8), quantiles(other), 1.0)
    assert np.ptp(out) == 0 and abs(int(out[0, 0, 0]) - np.median(other)) <= 1


@pytest.mark.parametrize(("count", "seen"), [(3, 3), (64, 64), (65, 33), (1000, 63)])
def test_test_images_are_taken_evenly(count: int, seen: int) -> None:
    ids = [f"{number:04}" for number in range(count)]
    assert len(looked_at(ids)) == seen and looked_at(ids) == sorted(set(looked_at(ids)))


def test_samples_look_like_test_images(discs: Path, tmp_path: Path) -> None:
    means = {}
    for share in (0.0, 1.0):
        settings = {"augment": {"match_test": share, "colour": 0}}
        stage = context(discs, tmp_path / str(share), train=settings)
        job = next(iter(train.list_jobs(stage).values()))
        assert bool(job.test) == bool(share)
        data = TrainingSet(job.train, job.reader, job.model.train, job.model.input, test=job.test)
        crops = [data[Key(0, n, n)].images.float().mean(dim=(1, 2)) for n in range(len(job.train))]
        means[share] = np.mean([crop.numpy() for crop in crops], axis=0)
    tests = [np.asarray(Image.open(path)).mean(axis=(0, 1)) for path in (discs / "test").iterdir()]
    far = np.abs(means[0.0] - np.mean(tests, axis=0))
    near = np.abs(means[1.0] - np.mean(tests, axis=0))
    assert (near < 0.5 * far).all()


def test_other_test_images_train_again(discs: Path, tmp_path: Path) -> None:
    settings = {"augment": {"match_test": 0.5}}

    def fingerprints() -> set[str]:
        jobs = train.list_jobs(context(discs, tmp_path, train=settings))
        return {job.fingerprint for job in jobs.values()}

    before = fingerprints()
    Image.fromarray(np.zeros((48, 64, 3), np.uint8)).save(next((discs / "test").iterdir()))
    assert not before & fingerprints()


def test_a_training_is_given_the_test_images(discs: Path, tmp_path: Path) -> None:
    stage = context(discs, tmp_path, train={"augment": {"match_test": 1.0, "colour": 0}})
    job = next(iter(train.list_jobs(stage).values()))
    run = TrainingRun(job, job_context(tmp_path))
    batch = next(run.loader.epoch(0))
    assert batch.images[:, 2].float().mean() < 30


def test_it_needs_test_images(discs: Path, tmp_path: Path) -> None:
    stage = context(discs, tmp_path, data={"test": None}, train={"augment": {"match_test": 0.5}})
    with pytest.raises(ConfigError, match=r"models\.a: train\.augment\.match_test needs test"):
        train.list_jobs(stage)
