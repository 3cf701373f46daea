"""Values and colours of masks that no class has: an error, background, or void."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.data.catalog import list_samples
from pipeline.data.ground_truth import Truth
from pipeline.data.masks.registry import mask_format
from pipeline.errors import ConfigError, DataError
from tests.helpers.data_folders import config, experiment, save, smooth

SIZE = (9, 11)
VALUES = np.random.default_rng(0).integers(0, 12, SIZE).astype(np.uint8)
COLOURS = np.stack([VALUES * 20, VALUES, 255 - VALUES], axis=2).astype(np.uint8)


def _truth(root: Path, mask: np.ndarray, **keys: Any) -> Truth:
    save(root / "images/a.png", smooth(*SIZE))
    save(root / "masks/a.png", mask)
    data = config(root, **keys)
    (sample,) = list_samples(data).train
    return mask_format(data).read(sample.id, sample.masks, SIZE)


def _colour(value: int) -> list[int]:
    return [value * 20, value, 255 - value]


@pytest.mark.parametrize("painted", [False, True])
@pytest.mark.parametrize("void", [False, True])
def test_what_no_class_has(painted: bool, void: bool, tmp_path: Path) -> None:
    mask = COLOURS if painted else VALUES
    named: dict[str, Any] = {"car": 8, "man": 9}
    keys: dict[str, Any] = {"void": 11} if void else {}
    if painted:
        named = {name: _colour(value) for name, value in named.items()}
        keys = {"void": _colour(11)} if void else {}
    with pytest.raises(DataError, match=r"neither in data\.classes"):
        _truth(tmp_path, mask, classes=named, **keys)
    planes = np.stack([VALUES == 8, VALUES == 9])
    kept = _truth(tmp_path, mask, classes=named, others="background", **keys)
    assert np.array_equal(kept.planes, planes)
    assert (kept.valid is None) if not void else np.array_equal(kept.valid, VALUES != 11)
    ignored = _truth(tmp_path, mask, classes=named, others="void", **keys)
    counted = planes.any(axis=0) | ((VALUES == 0) & (not painted))
    assert np.array_equal(ignored.planes, planes) and np.array_equal(ignored.valid, counted)


def test_one_class_of_many(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"set data\.others: background"):
        _truth(tmp_path, VALUES, classes={"car": 8})
    found = _truth(tmp_path, VALUES, classes={"car": 8}, others="background")
    assert np.array_equal(found.planes[0], VALUES == 8)


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ({"masks": "masks/{class}/{id}.png"}, "others: background needs masks with one file"),
        ({"multiclass": True}, "a class of its own"),
    ],
)
def test_what_cannot_be_is_said(keys: dict[str, Any], says: str, tmp_path: Path) -> None:
    data = {"classes": {"car": 1, "man": 2}, "others": "background", **keys}
    with pytest.raises(ConfigError, match=says):
        experiment(tmp_path, **data)
