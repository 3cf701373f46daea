"""Settings that contradict each other, and faults on the way, leave no submission behind."""

from __future__ import annotations

import errno
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.atomic_files import sweep, temporary_beside
from pipeline.atomic_folders import content_checksum, write_folder
from pipeline.errors import ConfigError, DataError, ResourceError
from pipeline.submission import mask_files, packs, shape_list
from tests.helpers.data_folders import write
from tests.helpers.decided import read_back, submitting
from tests.submission.test_format_readers import one, sent
from tests.submission.test_formats import SIZE, VOLUME

BY_CLASS = {"rows": "class", "key": "{id}_{class}"}
LABELS = {"classes": {"a": 0, "b": 1}, "multiclass": True}

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
        ({"format": "masks", "file": "./a//{id}.png"}, "write it as a/{id}.png"),
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
        ({"format": "masks", "rows": "instance"}, "rows: instance is of format: rle or coco or"),
        ({"format": "masks", "values": {"a": 0}}, "'a' would have the number 0"),
        ({"format": "coco", "values": {"a": 0}}, "'a' would have the number 0"),
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
        ({"format": "npz", "rows": "class", "class": "c"}, {"classes": ["a", "b"]}, "may overlap"),
        ({"format": "npz", **BY_CLASS, "values": {"a": 0}}, {}, "'a' would have the number 0"),
        ({"format": "pixels"}, {"classes": ["a", "b"]}, "holds one class a pixel"),
        ({"rows": "instance"}, {"classes": ["a", "b"]}, "instance allows one class only"),
        ({"format": "masks"}, {"classes": {"a": 256}}, "a class has the number 256"),
        ({"format": "masks"}, VOLUME, "a volume is a file of several pages"),
        ({"format": "pixels", **BY_CLASS}, LABELS, "rows: class is of format: rle or npz"),
        ({"format": "geojson", **BY_CLASS}, LABELS, "rows: class is of format: rle or npz"),
        ({"format": "npy"}, {"classes": {"a": 0}}, "'a' would have the number 0"),
        (
            {"format": "masks", "file": "{id}_{class}.png", "values": {"a": 0, "b": 1}},
            {"classes": ["a", "b"]},
            "'a' would have the number 0",
        ),
        ({"format": "coco", "values": {"a": 1, "b": 1}}, LABELS, "could not be told apart"),
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


@pytest.mark.parametrize("order", ["row", "column"])
def test_a_sample_says_the_order_of_pixels(order: str, tmp_path: Path) -> None:
    keys = [f"{each}_{y}_{x}" for each in ("8", "7") for y in range(7) for x in range(9)]
    write(tmp_path / "s.csv", "id,label\n" + "".join(f"{key},0\n" for key in keys))
    settings = {"format": "pixels", "layout": "long", "key": "{id}_{row}_{column}"}
    wanted = {**settings, "order": order, "sample": "s.csv"}
    if order == "row":
        sent(tmp_path, wanted, one())
        return
    with pytest.raises(DataError, match=r"s\.csv, line 3, asks for '8_0_1', and ours is '8_1_0'"):
        sent(tmp_path, wanted, one())


@pytest.mark.parametrize(("rows", "cells"), [("image", ["1", "2", "3"]), ("instance", ["1", "3"])])
def test_each_row_has_the_cells_of_its_own_line(
    rows: str, cells: list[str], tmp_path: Path
) -> None:
    write(tmp_path / "s.csv", "id,n,rle\n7,1,\n7,2,\n8,3,\n")
    keys = {"sample": "s.csv", "copied": ["n"], "rows": rows}
    masks = {each: np.ones((1, *SIZE), bool) for each in "87"}
    lines = sent(tmp_path, keys, masks).read_text().splitlines()[1:]
    assert [line.split(",")[1] for line in lines] == cells


@pytest.mark.parametrize(
    ("images", "says"),
    [
        ([("train/7.png", 1), ("test/7.png", 2), ("8.png", 3)], "several images called '7'"),
        ([("7.png", 1.5), ("8.png", 2)], "the id 1.5, which is neither"),
        ([("7.png", [1]), ("8.png", 2)], r"the id \[1\], which is neither"),
        ([("7.png", 1), ("8.png", None)], "the id None, which is neither"),
    ],
)
def test_ids_of_a_list_of_images_are_told_apart(
    images: list[Any], says: str, tmp_path: Path
) -> None:
    said = [{"file_name": name, "id": each} for name, each in images]
    write(tmp_path / "s.json", json.dumps({"images": said}))
    with pytest.raises(DataError, match=says):
        sent(tmp_path, {"format": "coco", "sample": "s.json"}, one())


LONG = {"format": "pixels", "layout": "long", "key": "{id}_{pixel}"}


def test_a_sample_may_have_blank_lines_but_not_other_text(tmp_path: Path) -> None:
    lines = "".join(f"{each}_{at},0\n" for each in "87" for at in range(1, 64))
    write(tmp_path / "s.csv", f"id,label\n\n{lines}\n")
    sent(tmp_path, {**LONG, "sample": "s.csv"}, one())
    write(tmp_path / "s.csv", f"id,label\n{lines}".encode("utf-16"))
    with pytest.raises(DataError, match=r"s\.csv cannot be read .* save the table as UTF-8"):
        sent(tmp_path, {**LONG, "sample": "s.csv"}, one())


@pytest.mark.parametrize("keys", [{}, {"format": "pixels", "layout": "list"}, LONG])
@pytest.mark.parametrize("text", ["", "id\n", "id\n7\n8\n", "id,x\n7\n8\n", "id,x\n7,1,1\n"])
def test_tables_that_are_none_are_told(keys: dict[str, Any], text: str, tmp_path: Path) -> None:
    write(tmp_path / "found.csv", text)
    with pytest.raises(DataError):
        read_back(submitting(tmp_path, keys), one(), tmp_path / "found.csv")


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
