"""Every format holds just the masks that it was made from, and faults leave nothing behind."""

from __future__ import annotations

import base64
import errno
import io
import json
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from pycocotools import mask as coco

from pipeline.atomic_files import sweep, temporary_beside
from pipeline.atomic_folders import content_checksum, write_folder
from pipeline.errors import ConfigError, DataError, ResourceError
from pipeline.submission import mask_files, packs, shape_list
from tests.helpers.data_folders import write
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


# ------------------------------------------------------------- read by other programs' readers


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


# ----------------------------------------------------------------------------- settings


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ({"format": "mask"}, "submission.format: 'mask'"),
        (
            {"format": "masks", "join": ";", "rows": "instance"},
            "join is of format: rle, not of masks",
        ),
        ({"file": "{id}.tif"}, "file is of format: masks, not of rle"),
        ({"format": "masks", "file": "{name}.png"}, "must contain {id}"),
        ({"format": "masks", "file": "{id}{band}.png"}, r"unknown placeholder {band}"),
        ({"format": "masks", "file": "../{id}.png"}, "must be a name below the folder"),
        ({"format": "masks", "file": "{id}.jpg"}, "must end in .png"),
        ({"format": "masks", "dtype": "int32"}, "int32 does not go into a PNG"),
        ({"format": "masks", "values": {"a": 256}}, "values: a: 256 does not fit dtype: uint8"),
        ({"format": "masks", "values": {"b": 1}}, "values: there is no class 'b'"),
        ({"encoding": "coco", "order": "row"}, "counts down columns; set order: column"),
        ({"cell": "{score}"}, "must contain {mask} once"),
        ({"cell": "{mask} {area}"}, "unknown placeholder {area}"),
        ({"join": ";"}, "needs rows: instance"),
        ({"rows": "instance", "join": " "}, "nobody could tell where an object ends"),
        ({"rows": "instance", "join": ";", "encoding": "coco"}, "where an object ends"),
        ({"copied": ["x"]}, "copied needs a table"),
        ({"copied_from": {"csv": "t.csv"}}, "name the columns to take"),
        ({"constant": {"id": "x"}}, "the column 'id' is used for two things"),
    ],
)
def test_settings_that_contradict_each_other_are_told(
    keys: dict[str, Any], says: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError) as error:
        checked(tmp_path, keys)
    assert says in str(error.value)


def checked(root: Path, keys: dict[str, Any], **data: Any) -> None:
    """As the command line reads it: names are looked up."""
    from pipeline.config import build_experiment
    from pipeline.known_names import name_checks
    from tests.helpers.experiments import raw

    own = raw(data={"test": "t/{id}.png", "classes": ["a"], **data}, submission=keys)
    known = {"submission format": name_checks()["submission format"]}  # others import torch
    build_experiment(own, source="x", checks=known)


@pytest.mark.parametrize(
    ("keys", "data", "says"),
    [
        (
            {"format": "masks"},
            {"classes": ["a", "b"]},
            "classes may overlap; set it, or put {class}",
        ),
        ({"format": "npz"}, {"classes": ["a", "b"]}, "set it, or set rows: class"),
        ({"format": "pixels"}, {"classes": ["a", "b"]}, "holds one class a pixel"),
        ({"rows": "instance"}, {"classes": ["a", "b"]}, "instance allows one class only"),
        ({"format": "masks"}, {"classes": {"a": 256}}, "a class has the number 256"),
        ({"format": "masks"}, VOLUME, "a volume is a file of several pages"),
    ],
)
def test_settings_that_do_not_fit_the_data_are_told(
    keys: dict[str, Any], data: dict[str, Any], says: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError) as error:
        checked(tmp_path, keys, **data)
    assert says in str(error.value)


# ----------------------------------------------------------------------------- faults


def test_files_that_would_get_one_name_are_refused(tmp_path: Path) -> None:
    keys = {"format": "masks", "file": "{id}_{class}.png"}
    masks = {each: np.zeros((2, *SIZE), bool) for each in ("x", "x_b")}
    with pytest.raises(DataError, match=r"gives x and x_b one name, x_b_c\.png"):
        sent(tmp_path, keys, masks, classes=["b_c", "c"])
    with pytest.raises(DataError, match=r"'\.\./7\.png' is no name of a file"):
        sent(tmp_path, {"format": "masks", "file": "{class}/{id}.png"}, one(), classes=[".."])


def test_images_of_two_sizes_do_not_go_into_one_array(tmp_path: Path) -> None:
    masks = {"7": np.zeros((1, 4, 5), bool), "8": np.zeros((1, 5, 4), bool)}
    with pytest.raises(DataError, match=r"7 is \(4, 5\), 8 \(5, 4\).*take npz, or set"):
        sent(tmp_path, {"format": "npy"}, masks)
    sent(tmp_path, {"format": "npy", "size": [4, 4]}, masks)
    masks["8"] = np.zeros((1, 5, 5), bool)
    with pytest.raises(DataError, match="makes 26 columns of 8, and the header has 21"):
        sent(tmp_path, {"format": "pixels"}, masks)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["sent.npy"]


def test_a_sample_names_the_files(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"sample\.zip is missing"):
        sent(tmp_path, {"format": "masks", "sample": "sample.zip"}, one())
    with zipfile.ZipFile(tmp_path / "sample.zip", "w") as archive:
        archive.writestr("7.png", b"")
        archive.writestr("9.png", b"")
    with pytest.raises(DataError, match=r"sample\.zip has 9\.png, for .* called like 7\.png"):
        sent(tmp_path, {"format": "masks", "sample": "sample.zip"}, one())
    write(tmp_path / "format/7.png", b"")
    with pytest.raises(DataError, match=r"format has no 8\.png"):
        sent(tmp_path, {"format": "masks", "sample": "format"}, one())
    write(tmp_path / "format/8.png", b"")
    sent(tmp_path, {"format": "masks", "sample": "format"}, one())


Patch = Callable[[pytest.MonkeyPatch], None]


def _other_mask(patch: pytest.MonkeyPatch) -> None:
    honest = mask_files.encode_mask

    def lying(pages: Any, *rest: Any) -> bytes:
        return honest([page * 0 for page in pages], *rest)

    patch.setattr(mask_files, "encode_mask", lying)


def _cut(patch: pytest.MonkeyPatch) -> None:
    honest = packs.read_pack

    def cutting(path: Path) -> Any:
        for each in [path] if path.is_file() else path.iterdir():
            with each.open("r+b") as stream:
                stream.truncate(each.stat().st_size // 8)
        return honest(path)

    patch.setattr(packs, "read_pack", cutting)


def _forgotten(patch: pytest.MonkeyPatch) -> None:
    honest = packs.read_pack
    patch.setattr(packs, "read_pack", lambda path: list(honest(path))[1:])


@pytest.mark.parametrize("pack", ["folder", "zip", "tar"])
@pytest.mark.parametrize("fault", [_other_mask, _cut, _forgotten])
def test_what_was_not_stored_as_meant_is_no_submission(
    fault: Patch, pack: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = {"format": "masks", "pack": pack}
    path = sent(tmp_path, keys, one())
    before = content_checksum(path)
    fault(monkeypatch)
    with pytest.raises(DataError):
        sent(tmp_path, keys, one(seed=2))
    assert content_checksum(path) == before
    assert [each.name for each in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("format", ["coco", "geojson"])
def test_a_list_that_lacks_an_entry_is_no_submission(
    format: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = shape_list.write_entries

    def forgetful(path: Path, before: str, entries: Any, *rest: Any) -> int:
        return honest(path, before, list(entries)[1:], *rest)

    monkeypatch.setattr(shape_list, "write_entries", forgetful)
    with pytest.raises(DataError, match="7 is not in the file; nothing was written"):
        sent(tmp_path, {"format": format}, one())
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("pack", ["folder", "zip", "tar"])
def test_a_full_disk_leaves_nothing(
    pack: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(mask_files.MaskFiles, "_encoded", full)
    with pytest.raises(ResourceError, match="are free"):
        sent(tmp_path, {"format": "masks", "pack": pack}, one())
    assert not list(tmp_path.iterdir())


def test_a_folder_that_was_left_half_written_is_swept(tmp_path: Path) -> None:
    write(temporary_beside(tmp_path / "sent") / "7.png", b"half")

    def while_writing(folder: Path) -> None:
        (folder / "8.png").write_bytes(b"whole")
        sweep(tmp_path)

    write_folder(tmp_path / "sent", while_writing)
    assert [each.name for each in tmp_path.iterdir()] == ["sent"]
    assert (tmp_path / "sent/8.png").read_bytes() == b"whole"


def test_a_changed_folder_has_another_checksum(tmp_path: Path) -> None:
    path = sent(tmp_path, {"format": "masks", "pack": "folder"}, one())
    before = content_checksum(path)
    (path / "7.png").rename(path / "9.png")
    renamed = content_checksum(path)
    (path / "9.png").write_bytes(b"")
    assert len({before, renamed, content_checksum(path)}) == 3
