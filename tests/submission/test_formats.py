"""Every format holds just the masks that it was made from."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.atomic_folders import content_checksum
from tests.helpers.decided import read_back, send, submitting

SIZE = (7, 9)
TWO = {"a": 1, "b": 2}
VOLUME = {"bands": ["x"], "volume": {}}
INSTANCES = {"rows": "instance", "join": ";"}


def along(axis: str) -> dict[str, Any]:
    return {"bands": ["x"], "volume": {"axis": axis}}


FORMATS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    # name: keys of `submission`, keys of `data`
    "rle": ({}, {}),
    "json": ({"encoding": "json", "empty": "authentic", **INSTANCES}, {}),
    "coco text": ({"encoding": "coco"}, {}),
    "scored": (
        {"encoding": "coco_zlib", "cell": "0 {score} {mask}", **INSTANCES, "join": " "}, {},
    ),
    "score column": ({"score": "confidence", "rows": "instance"}, {}),
    "classes in cells": (
        {"encoding": "coco_zlib", "cell": "{class} {score} {mask}", **INSTANCES, "join": " "},
        {"classes": TWO},
    ),
    "rows by class": ({"rows": "class", "key": "{id}_{class}"}, {"classes": TWO}),
    "zip of PNG": ({"format": "masks"}, {}),
    "tar of TIFF": ({"format": "masks", "file": "{id}_kelp.tif", "pack": "tar"}, {}),
    "folder of npy": (
        {"format": "masks", "file": "{id}.npy", "pack": "folder", "dtype": "float32"}, {},
    ),
    "deep folder": ({"format": "masks", "file": "masks/{id}/m.png", "pack": "folder"}, {}),
    "a file a class": ({"format": "masks", "file": "{class}/{id}.png"}, {"classes": TWO}),
    "16 bit": (
        {"format": "masks", "dtype": "uint16", "values": {"a": 0, "b": 700}},
        {"classes": TWO, "multiclass": True},
    ),
    "volumes": ({"format": "masks", "file": "{id}.tif"}, VOLUME),
    "volumes along Y": ({"format": "masks", "file": "{id}.tif"}, along("Y")),
    "volumes along X": ({"format": "masks", "file": "{id}.npy"}, along("X")),
    "npz": ({"format": "npz"}, {}),
    "npy": ({"format": "npy", "dtype": "int32", "values": {"a": 70_000 - 5000}}, {}),
    "wide": ({"format": "pixels", "order": "row"}, {"classes": TWO, "multiclass": True}),
    "wide down": ({"format": "pixels"}, {}),
    "list": ({"format": "pixels", "layout": "list"}, {}),
    "long": ({"format": "pixels", "layout": "long", "key": "{id}_{row}_{column}"}, {}),
    "coco": ({"format": "coco"}, {"classes": TWO}),
    "coco objects": ({"format": "coco", "rows": "instance"}, {}),
    "geojson": ({"format": "geojson"}, {"classes": TWO}),
    "geojson objects": ({"format": "geojson", "rows": "instance"}, {}),
}  # fmt: skip
IDS = ("v_0000", "v_0001", "w_0000")


def drawn(data: dict[str, Any], seed: int) -> dict[str, np.ndarray]:
    """A mask an id, of noise: none, all, and what is between; disjoint ones with `multiclass`."""
    random = np.random.default_rng(seed)
    masks = {}
    for each in IDS:
        planes = random.random((len(data.get("classes", "a")), *SIZE)) < random.choice([0, 0.4, 1])
        if data.get("multiclass"):
            planes = np.stack([planes[0], ~planes[0]])
        masks[each] = planes
    return masks


@pytest.mark.parametrize("name", FORMATS)
@settings(deadline=None, max_examples=4, database=None)
@given(seed=st.integers(0, 10**6))
def test_what_is_read_back_is_what_was_decided(name: str, seed: int) -> None:
    keys, data = FORMATS[name]
    masks = drawn(data, seed)
    with tempfile.TemporaryDirectory() as folder:
        chosen = submitting(Path(folder), keys, **data)
        path = send(chosen, masks, Path(folder))
        back = read_back(chosen, masks, path)
        assert [each.name for each in Path(folder).iterdir()] == [path.name]
    assert list(back) == list(masks)
    for each, planes in masks.items():
        np.testing.assert_array_equal(back[each], planes, err_msg=each)


@pytest.mark.parametrize("name", FORMATS)
def test_the_same_masks_make_the_same_bytes(name: str, tmp_path: Path) -> None:
    keys, data = FORMATS[name]
    chosen = submitting(tmp_path, keys, **data)
    sums = [
        content_checksum(send(chosen, drawn(data, 3), tmp_path / str(again))) for again in (1, 2)
    ]
    assert sums[0] == sums[1]


@pytest.mark.parametrize("name", FORMATS)
def test_masks_are_read_at_the_submitted_size(name: str, tmp_path: Path) -> None:
    keys, data = FORMATS[name]
    chosen = submitting(tmp_path, {**keys, "size": [4, 6]}, **data)
    masks = drawn(data, 4)
    back = read_back(chosen, masks, send(chosen, masks, tmp_path))
    assert {planes.shape[1:] for planes in back.values()} == {(4, 6)}


@pytest.mark.parametrize(
    "format", ["masks", "a file a class", "npy", "npz", "pixels", "coco", "rle"]
)
@pytest.mark.parametrize("side", [3, 4, 7])
def test_where_each_pixel_has_a_class_it_has_one_at_another_size(
    format: str, side: int, tmp_path: Path
) -> None:
    labels = np.array([[0, 1], [2, 3]]).repeat(3, 0).repeat(3, 1)
    masks = {"7": np.stack([labels == place for place in range(4)])}
    classes = {each: value for value, each in enumerate("abcd", start=1)}
    keys = {"format": format, "size": [side, side]}
    if format == "a file a class":
        keys |= {"format": "masks", "file": "{class}/{id}.png"}
    elif format == "rle":
        keys |= {"rows": "class", "key": "{id}_{class}"}
    chosen = submitting(tmp_path, keys, classes=classes, multiclass=True)
    planes = read_back(chosen, masks, send(chosen, masks, tmp_path))["7"]
    np.testing.assert_array_equal(planes.sum(axis=0), 1)
    assert [planes[place].reshape(-1)[at] for place, at in enumerate((0, side - 1))] == [1, 1]
