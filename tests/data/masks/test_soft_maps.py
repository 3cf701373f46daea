"""Gray levels as probabilities, from the files to the loss."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.config import InputConfig, TrainConfig
from pipeline.data.catalog import list_samples
from pipeline.data.decoded import DiskCache, MemoryCache
from pipeline.data.ground_truth import Truth
from pipeline.data.masks.registry import mask_format
from pipeline.data.samples import SampleReader
from pipeline.errors import ConfigError, DataError
from pipeline.training.dataset import TrainingSet
from pipeline.training.held_out import HeldOutReader
from pipeline.training.sampling import Key
from tests.helpers.data_folders import config, experiment, save, smooth

SIZE = (40, 48)
LEVELS = np.random.default_rng(0).integers(0, 256, SIZE).astype(np.uint8)


def truth_of(root: Path, **keys: Any) -> Truth:
    save(root / "images/a.png", smooth(*SIZE))
    data = config(root, **{"soft": True, **keys})
    (sample,) = list_samples(data).train
    return mask_format(data).read(sample.id, sample.masks, SIZE)


@pytest.mark.parametrize("kind", ["png", "uint16", "npy uint8", "npy float32", "npy float64"])
def test_a_level_is_a_probability(kind: str, tmp_path: Path) -> None:
    keys: dict[str, Any] = {}
    if kind.startswith("npy"):
        (tmp_path / "masks").mkdir()
        array = LEVELS if "uint8" in kind else (LEVELS / 255).astype(kind[4:])
        np.save(tmp_path / "masks/a.npy", array)
        keys["masks"] = "masks/{id}.npy"
    else:
        deep = LEVELS.astype(np.uint16) * np.uint16(257)
        save(tmp_path / "masks/a.png", deep if kind == "uint16" else LEVELS)
    truth = truth_of(tmp_path, **keys)
    assert truth.soft is not None and truth.soft.dtype == np.uint8
    assert np.array_equal(truth.soft[0], LEVELS)
    assert np.array_equal(truth.planes[0], LEVELS >= 128) and truth.instances is None


def test_annotators_are_averaged(tmp_path: Path) -> None:
    votes = np.random.default_rng(1).integers(0, 2, (3, *SIZE)).astype(np.uint8)
    for number, vote in enumerate(votes):
        save(tmp_path / f"masks/a/{number}.png", vote * np.uint8(255))
    truth = truth_of(tmp_path, masks="masks/{id}/*.png")
    assert truth.soft is not None
    assert np.array_equal(truth.soft[0], votes.sum(axis=0) * 85)
    assert np.array_equal(truth.planes[0], votes.sum(axis=0) >= 2)


def test_the_loss_sees_the_probability_and_the_score_what_is_decided(tmp_path: Path) -> None:
    save(tmp_path / "masks/a.png", LEVELS)
    truth = truth_of(tmp_path)
    data = config(tmp_path, soft=True)
    reader, samples = SampleReader(data), list_samples(data).train
    settings = TrainConfig(size=SIZE)
    shown = InputConfig()
    seen = TrainingSet(samples, reader, settings, shown)[Key(0, 0, 0)].planes.numpy()
    assert len(np.unique(seen)) > 100, "levels, not 0 and 1"
    for cache in (MemoryCache(2**20), DiskCache(tmp_path / "decoded", reader, shown)):
        held = HeldOutReader(reader, shown, cache, objects=False)
        for _ in range(2):
            assert np.array_equal(held.read(samples[0]).truth.planes, truth.planes)


@pytest.mark.parametrize(
    ("array", "says"),
    [
        (LEVELS / 200, "no probabilities, 0 to 1"),
        (np.full(SIZE, np.nan), "no probabilities, 0 to 1"),
        (LEVELS.astype(np.int64), "holds int64; soft masks are floats 0..1 or uint8"),
        (np.zeros((3, *SIZE)), "a mask is H×W"),
        (np.zeros((9, 9)), "is 9×9, its image 48×40"),
    ],
)
def test_what_is_no_probability(array: Any, says: str, tmp_path: Path) -> None:
    (tmp_path / "masks").mkdir()
    np.save(tmp_path / "masks/a.npy", array)
    with pytest.raises(DataError, match=rf"masks/a\.npy .*{says}"):
        truth_of(tmp_path, masks="masks/{id}.npy")


def test_a_mask_of_zero_and_one_is_not_soft(tmp_path: Path) -> None:
    save(tmp_path / "masks/a.png", LEVELS // 128)
    with pytest.raises(DataError, match=r"a\.png holds 0 and 1 of 255, which is next to nothing"):
        truth_of(tmp_path)
    save(tmp_path / "masks/a.png", smooth(*SIZE))
    with pytest.raises(DataError, match=r"a\.png is a colour image"):
        truth_of(tmp_path)


@pytest.mark.parametrize(
    "keys",
    [
        {"masks": {"csv": "m.csv"}},
        {"classes": ["a", "b"]},
    ],
)
def test_soft_masks_of_a_file_have_one_class(keys: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="soft: true needs masks by a pattern"):
        experiment(tmp_path, soft=True, **keys)
    with pytest.raises(ConfigError, match="void: 255 needs masks with one file of pixel values"):
        experiment(tmp_path, soft=True, void=255)


def test_a_class_has_files_of_its_own(tmp_path: Path) -> None:
    """Also of several annotators; a class without a file is nowhere."""
    save(tmp_path / "images/a.png", smooth(*SIZE))
    save(tmp_path / "masks/x/a_1.png", LEVELS)
    save(tmp_path / "masks/x/a_2.png", np.zeros(SIZE, np.uint8))
    save(tmp_path / "masks/z/a_1.png", LEVELS)
    keys = {"classes": ["x", "y", "z"], "masks": "masks/{class}/{id}_*.png", "soft": True}
    data = config(tmp_path, **keys)
    (sample,) = list_samples(data).train
    truth = SampleReader(data).truth(sample, SIZE)
    assert truth.soft is not None
    assert np.array_equal(truth.soft[2], LEVELS) and not truth.soft[1].any()
    assert np.abs(truth.soft[0].astype(float) - LEVELS / 2).max() <= 0.5
    assert np.array_equal(truth.planes[2], LEVELS >= 128)
    save(tmp_path / "masks/w/a_1.png", LEVELS)
    with pytest.raises(DataError, match=r"w/a_1\.png belongs to no class"):
        SampleReader(data).truth(list_samples(data).train[0], SIZE)
