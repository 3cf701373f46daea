from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from pipeline.config import AugmentConfig, InputConfig, JitterConfig, TrainConfig
from pipeline.data.catalog import Sample, list_samples
from pipeline.data.decoded import Cache, DiskCache, MemoryCache, cache_of, decode
from pipeline.data.image_sources.rgb import RgbImages
from pipeline.data.samples import SampleReader
from pipeline.training.augmentation import Augmenter
from pipeline.training.dataset import TrainingSet
from pipeline.training.length import training_length
from pipeline.training.loader import Batch, EpochLoader
from pipeline.training.sampling import SampleFacts, epoch_batches
from tests.helpers.competitions import draw_discs, experiment

STRONG = AugmentConfig(flips=("horizontal", "vertical", "transpose"), affine=1.0, colour=0.0)


def _gradient(height: int, width: int) -> np.ndarray:
    """An image whose first channel is also its mask, so that both must move alike."""
    rows, columns = np.mgrid[:height, :width]
    blob = np.hypot(rows - height * 0.4, columns - width * 0.6) < min(height, width) * 0.3
    return blob.astype(np.uint8)


@pytest.mark.parametrize("size", [(32, 32), (24, 40)])
@pytest.mark.parametrize("image_size", [(60, 80), (20, 17), (32, 32), (1, 1)])
def test_mask_validity_and_reference_move_with_the_image(
    size: tuple[int, int], image_size: tuple[int, int]
) -> None:
    augment = Augmenter(size, STRONG)
    blob = _gradient(*image_size)
    image = np.repeat(blob[..., None] * np.uint8(255), 6, axis=2)
    for seed in range(20):
        seen, planes, valid, *_ = augment(image, blob[None], blob == 0, [seed])
        assert seen.shape == (*size, 6) and planes.shape == (1, *size) and valid.shape == size
        assert (valid == 1 - planes[0]).all()
        assert (seen[..., :3] == seen[..., 3:]).all()
        # bilinear image against nearest mask: they may differ on the edge only
        assert np.mean((seen[..., 0] > 127) != planes[0]) < 0.06


def test_the_same_seed_draws_the_same_view_and_others_differ() -> None:
    random = np.random.default_rng(0)
    image = random.integers(0, 255, (50, 50, 3), dtype=np.uint8)
    planes = np.zeros((1, 50, 50), np.uint8)
    settings = AugmentConfig(affine=1.0, colour=1.0)
    first, second = (Augmenter((32, 32), settings) for _ in range(2))
    second(image, planes, None, [99])
    views = [first(image, planes, None, [7, 1, seed])[0] for seed in range(8)]
    again = [second(image, planes, None, [7, 1, seed])[0] for seed in reversed(range(8))]
    assert all((a == b).all() for a, b in zip(views, reversed(again), strict=True))
    assert len({view.tobytes() for view in views}) == 8


def test_colour_of_image_and_reference_changes_apart() -> None:
    image = np.full((32, 32, 6), 120, np.uint8)
    augment = Augmenter((32, 32), AugmentConfig(affine=0.0, colour=1.0, flips=()))
    seen = augment(image, np.zeros((1, 32, 32), np.uint8), None, [3])[0]
    assert (seen[..., :3] != seen[..., 3:]).any()


def _dots(side: int) -> np.ndarray:
    """Image and reference alike: smooth spots, HWC with six channels."""
    random = np.random.default_rng(1)
    spots = cv2.GaussianBlur(random.normal(0, 1, (side, side)), (0, 0), 2)
    gray = cv2.normalize(spots, None, 0, 255, cv2.NORM_MINMAX).astype(np.uint8)
    return np.repeat(gray[..., None], 6, axis=2)


def _without_motion(**settings: Any) -> AugmentConfig:
    return AugmentConfig.model_validate({"flips": (), "affine": 0, "colour": 0, **settings})


@pytest.mark.parametrize("pixels", [0.5, 2.0])
def test_jitter_moves_the_reference_alone_and_no_further_than_said(pixels: float) -> None:
    image, planes = _dots(96), np.ones((1, 96, 96), np.uint8)
    augment = Augmenter((96, 96), _without_motion(reference_jitter={"shift": pixels}))
    moves = []
    for seed in range(30):
        seen, same, *_ = augment(image, planes, None, [seed])
        assert (seen[..., :3] == image[..., :3]).all() and (same == planes).all()
        pair = [seen[8:-8, 8:-8, channel].astype(np.float32) for channel in (0, 3)]
        moves.append(cv2.phaseCorrelate(pair[0].copy(), pair[1].copy())[0])
    reach = np.abs(moves)
    assert reach.max() <= pixels + 0.25, "as phase correlation sees it"
    assert reach.max(axis=0).min() > 0.7 * pixels, "both axes"
    assert np.abs(np.mean(moves, axis=0)).max() < 0.5 * pixels, "to both sides"


def test_jitter_turns_and_scales_about_the_middle() -> None:
    image, planes = _dots(97), np.zeros((1, 97, 97), np.uint8)
    settings = _without_motion(reference_jitter={"rotate": 8, "scale": 0.1})
    seen = [Augmenter((97, 97), settings)(image, planes, None, [seed])[0] for seed in range(8)]
    middle = np.s_[46:51, 46:51]
    for view in seen:
        off = np.abs(view[..., :3].astype(int) - view[..., 3:])
        assert off[middle].mean() < 8 < off.mean()


def test_without_jitter_views_are_what_they_were() -> None:
    image, planes = _dots(64), np.zeros((1, 64, 64), np.uint8)
    jittered = STRONG.model_copy(update={"reference_jitter": JitterConfig(shift=3)})
    for seed in range(5):
        plain = Augmenter((48, 48), STRONG)(image, planes, None, [seed])[0]
        moved = Augmenter((48, 48), jittered)(image, planes, None, [seed])[0]
        assert (plain[..., :3] == moved[..., :3]).all()
        assert (plain[..., 3:] == plain[..., :3]).all() and (moved[..., 3:] != plain[..., 3:]).any()


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_references_are_dropped_as_often_as_said(share: float) -> None:
    image, planes = _dots(32), np.zeros((1, 32, 32), np.uint8)
    augment = Augmenter((32, 32), _without_motion(reference_drop=share))
    views = [augment(image, planes, None, [seed])[0] for seed in range(200)]
    blank = np.mean([(view[..., 3:] == RgbImages.blank).all() for view in views])
    assert blank == pytest.approx(share, abs=0.1 if 0 < share < 1 else 0)
    assert all((view[..., :3] == image[..., :3]).all() for view in views)


@pytest.mark.parametrize(("count", "batch", "steps"), [(10, 4, None), (3, 8, None), (10, 4, 7)])
def test_an_epoch_sees_every_sample_as_evenly_as_it_can(
    count: int, batch: int, steps: int | None
) -> None:
    settings = TrainConfig(batch=batch, steps=steps)
    keys = [key for keys in epoch_batches(SampleFacts(count), settings, 0, 0) for key in keys]
    assert len(keys) == training_length(count, settings).steps_of(0) * batch
    seen = Counter(key.image for key in keys)
    assert max(seen.values()) - min(seen.values() if len(seen) == count else [0]) <= 1


def test_an_epoch_entered_in_the_middle_goes_on_as_it_would_have() -> None:
    settings = TrainConfig(batch=4, steps=9, seed=5)
    whole = list(epoch_batches(SampleFacts(10), settings, 3, 0))
    assert list(epoch_batches(SampleFacts(10), settings, 3, 4)) == whole[4:]
    assert list(epoch_batches(SampleFacts(10), settings, 2, 0)) != whole


@pytest.fixture
def discs(tmp_path: Path) -> tuple[tuple[Sample, ...], SampleReader]:
    draw_discs(tmp_path)
    data = experiment(tmp_path).data
    return list_samples(data).train, SampleReader(data)


def test_loader_processes_and_caches_change_nothing(
    discs: tuple[tuple[Sample, ...], SampleReader], tmp_path: Path
) -> None:
    samples, reader = discs
    settings = TrainConfig(size=(48, 64), batch=4)
    disk = DiskCache(tmp_path / "decoded", reader, InputConfig())
    loaders = {
        "plain": _loader(samples, reader, settings, 0),
        "memory": _loader(samples, reader, settings, 0, MemoryCache(2**26)),
        "disk": _loader(samples, reader, settings, 0, disk),
        "processes": _loader(samples, reader, settings, 2, disk),
    }
    batches = {name: [*loader.epoch(0), *loader.epoch(1)] for name, loader in loaders.items()}
    for loader in loaders.values():
        loader.close()
    for name in ("memory", "disk", "processes"):
        _assert_equal(batches["plain"], batches[name])


def test_loader_processes_share_the_memory(discs: tuple[tuple[Sample, ...], SampleReader]) -> None:
    """Each of them has a cache of its own; together they keep what `train.cache` allows a job."""
    samples, reader = discs
    kept = []
    for shares in (1, 64):
        cache = cache_of(1, None, reader, InputConfig(), shares)
        for sample in samples:
            cache.put(sample, decode(sample, reader, InputConfig()))
        kept.append(sum(cache.get(sample) is not None for sample in samples))
    assert kept == [len(samples), 1]


def _loader(
    samples: tuple[Sample, ...],
    reader: SampleReader,
    settings: TrainConfig,
    workers: int,
    cache: Cache | None = None,
) -> EpochLoader:
    data = TrainingSet(samples, reader, settings, InputConfig(), cache)
    return EpochLoader(data, settings, workers, pin=False, warn=str)


def _assert_equal(first: list[Batch], second: list[Batch]) -> None:
    assert len(first) == len(second)
    for one, other in zip(first, second, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(one[:4], other[:4], strict=True))


@pytest.mark.parametrize("resize", [0.5, 2.0, (40, 40)])
def test_resized_samples_keep_their_coverage(
    discs: tuple[tuple[Sample, ...], SampleReader], resize: float | tuple[int, int]
) -> None:
    samples, reader = discs
    shown = InputConfig(resize=resize)
    for sample in samples:
        planes = decode(sample, reader, shown).planes
        own = reader.truth(sample, (48, 64)).planes
        assert planes.mean() == pytest.approx(own.mean(), rel=0.12)
