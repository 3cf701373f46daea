"""Other programs read what the formats hold: COCO's tools, Pillow, tifffile, NumPy, pandas."""

from __future__ import annotations

import base64
import io
import json
import tarfile
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import tifffile
from PIL import Image
from pycocotools import mask as coco

from pipeline.errors import DataError
from tests.helpers.data_folders import write
from tests.helpers.decided import send, submitting
from tests.submission.test_formats import FORMATS, SIZE, VOLUME


def one(seed: int = 1, share: float = 0.4) -> dict[str, np.ndarray]:
    return {each: np.random.default_rng(seed).random((1, *SIZE)) < share for each in ("7", "8")}


def sent(root: Path, keys: dict[str, Any], masks: dict[str, np.ndarray], **data: Any) -> Path:
    return send(submitting(root, keys, **data), masks, root)


def test_pycocotools_reads_the_cells_of_scored_objects(tmp_path: Path) -> None:
    """`0 score mask` of each object: Open Images' and HuBMAP's encoding."""
    mask = np.zeros((1, *SIZE), bool)
    mask[0, :3, :2] = mask[0, 5:, 4:] = True
    keys = {**FORMATS["scored"][0], "columns": ["id", "prediction_string"]}
    table = pd.read_csv(sent(tmp_path, keys, {"7": mask, "8": mask & False}), dtype=str)
    parts = table["prediction_string"][0].split(" ")
    assert parts[::3] == ["0", "0"] and parts[1::3] == ["1.000000"] * 2
    found = [
        coco.decode({"size": SIZE, "counts": zlib.decompress(base64.b64decode(text))})
        for text in parts[2::3]
    ]
    np.testing.assert_array_equal(np.sum(found, axis=0), mask[0])
    assert pd.isna(table["prediction_string"][1])


def test_pycocotools_reads_results(tmp_path: Path) -> None:
    masks = one()
    entries = json.loads(sent(tmp_path, {"format": "coco"}, masks).read_text())
    assert [each["image_id"] for each in entries] == [7, 8]
    for entry in entries:
        assert entry["category_id"] == 1
        mask = masks[str(entry["image_id"])][0]
        np.testing.assert_array_equal(coco.decode(entry["segmentation"]), mask)
        assert (
            entry["segmentation"]["counts"]
            == coco.encode(np.asfortranarray(mask))["counts"].decode()
        )


def test_categories_and_image_ids_may_be_the_files(tmp_path: Path) -> None:
    images = [{"file_name": "x/b.jpg", "id": 40}, {"file_name": "a.jpg", "id": 41}]
    write(tmp_path / "info.json", json.dumps({"images": images}))
    keys = {"format": "coco", "sample": "info.json", "values": {"a": 17}}
    masks = {"a": np.ones((1, *SIZE), bool), "b": np.zeros((1, *SIZE), bool)}
    (entry,) = json.loads(sent(tmp_path, keys, masks).read_text())
    assert (entry["image_id"], entry["category_id"], entry["score"]) == (41, 17, 1)
    with pytest.raises(DataError, match=r"info\.json asks for b, for which there is no test"):
        sent(tmp_path, keys, {"a": masks["a"]})
    with pytest.raises(DataError, match=r"info\.json does not list c"):
        sent(tmp_path, keys, {**masks, "c": masks["a"]})


def test_the_background_is_no_category(tmp_path: Path) -> None:
    masks = {each: np.concatenate([~planes, planes]) for each, planes in one().items()}
    several = {"classes": {"ground": 0, "a": 5}, "multiclass": True}
    entries = json.loads(sent(tmp_path, {"format": "coco"}, masks, **several).read_text())
    assert [each["category_id"] for each in entries] == [5, 5]


def test_a_polygon_covers_its_pixels_by_any_rule_of_centres(tmp_path: Path) -> None:
    from matplotlib.path import Path as Outline

    masks = one(seed=4, share=0.6)
    features = json.loads(sent(tmp_path, {"format": "geojson"}, masks).read_text())["features"]
    rows, columns = np.mgrid[: SIZE[0], : SIZE[1]]
    centres = np.stack([columns.ravel(), rows.ravel()], 1) + 0.5
    for feature in features:
        shape = feature["geometry"]
        parts = shape["coordinates"] if shape["type"] == "MultiPolygon" else [shape["coordinates"]]
        inside = np.zeros(len(centres), bool)
        for outline, *holes in parts:
            assert outline[0] == outline[-1] and len({map(tuple, outline)}) >= 1
            part = Outline(outline).contains_points(centres)
            for hole in holes:
                part &= ~Outline(hole).contains_points(centres)
            assert not (inside & part).any(), "parts are disjoint"
            inside |= part
        mask = masks[feature["properties"]["image"]][0]
        np.testing.assert_array_equal(inside.reshape(SIZE), mask)


def test_pillow_and_tifffile_read_mask_files(tmp_path: Path) -> None:
    masks = one()
    with zipfile.ZipFile(sent(tmp_path, {"format": "masks"}, masks)) as archive:
        assert archive.namelist() == ["7.png", "8.png"]
        with Image.open(archive.open("7.png")) as picture:
            assert picture.mode == "L"
            np.testing.assert_array_equal(np.asarray(picture), masks["7"][0])
    keys = {"format": "masks", "file": "{id}_kelp.tif", "pack": "tar", "values": {"a": 255}}
    with tarfile.open(sent(tmp_path, keys, masks)) as tar:
        content = tar.extractfile("8_kelp.tif").read()
    np.testing.assert_array_equal(tifffile.imread(io.BytesIO(content)), masks["8"][0] * 255)
    with Image.open(io.BytesIO(content)) as picture:
        np.testing.assert_array_equal(np.asarray(picture), masks["8"][0] * 255)


def test_a_volume_is_one_tiff_of_its_slices_in_order(tmp_path: Path) -> None:
    masks = {f"v_{n:04d}": np.random.default_rng(n).random((1, *SIZE)) < 0.5 for n in range(11)}
    keys = {"format": "masks", "file": "{id}.tif"}
    shuffled = dict(sorted(masks.items(), key=lambda each: hash(each[0])))
    with zipfile.ZipFile(sent(tmp_path, keys, shuffled, **VOLUME)) as archive:
        volume = tifffile.imread(io.BytesIO(archive.read("v.tif")))
    assert volume.dtype == np.uint8
    np.testing.assert_array_equal(volume, [planes[0] for planes in masks.values()])


def test_numpy_reads_arrays(tmp_path: Path) -> None:
    masks = one()
    found = np.load(sent(tmp_path, {"format": "npz", "key": "{id}.jpg"}, masks))
    assert sorted(found) == ["7.jpg", "8.jpg"]
    np.testing.assert_array_equal(found["8.jpg"], masks["8"][0])
    stack = np.load(sent(tmp_path, {"format": "npy"}, masks))
    np.testing.assert_array_equal(stack, [masks["7"][0], masks["8"][0]])


def test_pandas_reads_labels_in_the_order_of_the_sample(tmp_path: Path) -> None:
    masks = one()
    pixels = ",".join(f"p{n}" for n in range(SIZE[0] * SIZE[1]))
    write(tmp_path / "s.csv", f"id,{pixels}\n8,0\n7,0\n")
    keys = {"format": "pixels", "order": "row", "sample": "s.csv"}
    table = pd.read_csv(sent(tmp_path, keys, masks), index_col="id")
    assert list(table.index) == [8, 7] and table.columns[1] == "p1"
    np.testing.assert_array_equal(table.loc[7].to_numpy().reshape(SIZE), masks["7"][0])
    keys = {"format": "pixels", "layout": "long", "key": "{id}_{pixel}", "columns": ["id", "y"]}
    table = pd.read_csv(sent(tmp_path, keys, masks))
    assert table["id"][1] == "7_2", "pixels count from 1, down columns"
    down = table["y"][: SIZE[0] * SIZE[1]].to_numpy().reshape(SIZE, order="F")
    np.testing.assert_array_equal(down, masks["7"][0])


def test_columns_are_copied_and_constant(tmp_path: Path) -> None:
    """From the sample by row, from a table by id, and filled in."""
    write(tmp_path / "s.csv", "id,height,width,mask\n8,70,90,\n7,71,91,\n")
    keys: dict[str, Any] = {"sample": "s.csv", "copied": ["height", "width"]}
    table = pd.read_csv(sent(tmp_path, keys, one()), dtype=str)
    assert table[["id", "height", "width"]].to_numpy().tolist() == [
        ["8", "70", "90"], ["7", "71", "91"],
    ]  # fmt: skip
    write(tmp_path / "t.csv", "image,site,day\n7.jpg,x,1\n8.jpg,y,2\n")
    keys = {
        "copied": ["day"],
        "copied_from": {"csv": "t.csv", "id": "image", "key": "{id}.jpg"},
        "constant": {"size": "{height}x{width}", "team": "we"},
    }
    table = pd.read_csv(sent(tmp_path, keys, one()), dtype=str)
    assert list(table.columns) == ["id", "size", "team", "day", "rle_mask"]
    assert table.iloc[1, :4].tolist() == ["8", "7x9", "we", "2"]
    with pytest.raises(DataError, match=r"copied_from: .*t\.csv has no row of 9 \(key"):
        sent(tmp_path, keys, {**one(), "9": one()["7"]})
    with pytest.raises(DataError, match=r"has the header \['id', 'height', 'width', 'mask'\]"):
        sent(tmp_path, {"sample": "s.csv", "copied": ["depth"]}, one())


def test_a_score_is_the_mean_probability_of_the_object(tmp_path: Path) -> None:
    from pipeline.submission.planes import shapes_of_image
    from tests.helpers.decided import decided

    likely = np.zeros((1, *SIZE), np.uint8)
    likely[0, 0, :2] = 255, 153
    likely[0, 5, 5:] = 204
    chosen = submitting(tmp_path, {"score": "s", "rows": "instance"}).submission
    decisions = decided({"7": likely > 0})
    decisions = type(decisions)(decisions.recipe, lambda _: [likely], lambda _: SIZE)
    ((first, second),) = shapes_of_image(decisions, "7", chosen)
    assert (first.score, second.score) == pytest.approx((0.8, 0.8), abs=1e-4)
