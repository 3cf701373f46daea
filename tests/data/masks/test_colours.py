"""Masks whose colours are the classes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pipeline.data.catalog import list_samples
from pipeline.data.ground_truth import Truth
from pipeline.data.masks.registry import mask_format
from pipeline.errors import ConfigError, DataError
from pipeline.prediction.mask_files import PredictedMaskFiles
from tests.helpers.data_folders import config, experiment, save, smooth

SIZE = (13, 17)
CAMVID = {
    "Animal": (64, 128, 64), "Archway": (192, 0, 128), "Bicyclist": (0, 128, 192),
    "Bridge": (0, 128, 64), "Building": (128, 0, 0), "Car": (64, 0, 128), "Road": (128, 64, 128),
    "Sky": (128, 128, 128), "Tree": (128, 128, 0), "Wall": (64, 192, 0),
}  # fmt: skip
"""Some of CamVid's 32 colours; its void is black."""
VALUES = np.random.default_rng(1).integers(0, len(CAMVID) + 1, SIZE)
PAINTED = np.array([(0, 0, 0), *CAMVID.values()], np.uint8)[VALUES]
CLASSES = {name: list(colour) for name, colour in CAMVID.items()}


def truth_of(root: Path, name: str = "a.png", **keys: Any) -> Truth:
    save(root / "images/a.png", smooth(*SIZE))
    pattern = f"masks/{name.replace('a.', '{id}.')}"
    data = config(root, **{"masks": pattern, "classes": CLASSES, **keys})
    (sample,) = list_samples(data).train
    return mask_format(data).read(sample.id, sample.masks, SIZE)


@pytest.mark.parametrize(
    "name", ["a.png", "a.bmp", "a.tif", "a.gif", "rgba/a.png", "palette/a.png"]
)
@pytest.mark.parametrize("multiclass", [True, False])
def test_each_class_is_where_its_colour_is(name: str, multiclass: bool, tmp_path: Path) -> None:
    path = tmp_path / "masks" / name
    path.parent.mkdir(parents=True)
    kind = {"rgba": "RGBA", "palette": "P"}.get(path.parent.name, "RGB")
    Image.fromarray(PAINTED).convert(kind, palette=Image.Palette.ADAPTIVE).save(path)
    truth = truth_of(tmp_path, name, multiclass=multiclass, void=[0, 0, 0])
    expected = [at == VALUES for at in range(1, len(CAMVID) + 1)]
    assert np.array_equal(truth.planes, expected) and truth.planes.dtype == np.uint8
    assert truth.valid is not None and np.array_equal(truth.valid, VALUES != 0)
    if not multiclass:
        assert truth_of(tmp_path, name).valid is None, "black is of no class"


def test_colours_without_meaning_are_counted(tmp_path: Path) -> None:
    save(tmp_path / "masks/a.png", PAINTED)
    fewer = {
        name: f"#{bytes(each).hex().upper()}"
        for name, each in CAMVID.items()
        if name not in ("Sky", "Car")
    }
    counts = sorted([(VALUES == 8).sum(), (VALUES == 6).sum()], reverse=True)
    with pytest.raises(
        DataError, match=rf"a\.png holds colours .*\({counts[0]} pix.*\({counts[1]}"
    ):
        truth_of(tmp_path, classes=fewer)
    with pytest.raises(DataError, match=r"#000000 \(\d+ pixels\); list"):
        truth_of(tmp_path, multiclass=True)


def test_a_mask_that_changed_its_colours_is_refused(tmp_path: Path) -> None:
    save(tmp_path / "masks/a.jpg", PAINTED, quality=100)
    with pytest.raises(DataError, match=r"a\.jpg is a JPEG, which changes colours"):
        truth_of(tmp_path, "a.jpg")
    clear = np.dstack([PAINTED, np.where(VALUES == 3, 0, 255)]).astype(np.uint8)
    save(tmp_path / "masks/a.png", clear)
    with pytest.raises(DataError, match=r"a\.png has transparent pixels"):
        truth_of(tmp_path)
    save(tmp_path / "masks/a.png", VALUES.astype(np.uint16))
    with pytest.raises(DataError, match=r"a\.png has 16 bits a channel; colours have 8"):
        truth_of(tmp_path)
    save(tmp_path / "masks/a.png", PAINTED[:, :-1])
    with pytest.raises(DataError, match=r"a\.png is 16×13, its image 17×13"):
        truth_of(tmp_path)


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ({"classes": {"a": "#40"}}, "a colour: '#4080c0' .in quotes., or .r, g, b."),
        ({"classes": {"a": "red"}}, "a colour: '#4080c0'"),
        ({"classes": {"a": [1, 2]}}, "a colour is .red, green, blue., each 0 to 255"),
        ({"classes": {"a": [1, 2, 300]}}, "a colour is .red, green, blue., each 0 to 255"),
        ({"classes": {"a": None}}, "classes.a"),
        ({"classes": {"a": "#112233", "b": [17, 34, 51]}}, "two classes share a colour"),
        ({"classes": {"a": "#112233", "b": 2}}, "some classes have colours, others pixel values"),
        ({"classes": {"a": "#112233"}, "void": 255}, "void: 255 and the classes must all be colou"),
        ({"classes": {"a": 1}, "void": "#112233"}, "void: #112233 and the classes must all be"),
        ({"classes": {"a": "#112233"}, "void": "#112233"}, "is also the value of a class"),
        (
            {"classes": {"a": "#112233"}, "masks": "m/{id}/*.png"},
            "colours need masks with one file",
        ),
        ({"classes": {"a": "#112233"}, "masks": {"csv": "m.csv"}}, "colours need masks with one"),
    ],
)
def test_colours_that_are_none(keys: dict[str, Any], says: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=says):
        experiment(tmp_path, **keys)


def test_a_prediction_is_painted_as_the_masks_are(tmp_path: Path) -> None:
    save(tmp_path / "images/a.png", smooth(*SIZE))
    data = config(tmp_path, classes={**CLASSES, "Void": "#000000"}, multiclass=True)
    decision = np.stack([at == VALUES for at in [*range(1, len(CAMVID) + 1), 0]])
    PredictedMaskFiles.of(tmp_path / "masks", data).write("a", decision)
    (sample,) = list_samples(data).train
    assert np.array_equal(mask_format(data).read("a", sample.masks, SIZE).planes, decision)
    assert np.array_equal(np.asarray(Image.open(tmp_path / "masks/a.png")), PAINTED)
