"""zarr is read as the zarr library reads it, by name, axes and the finest level."""

from __future__ import annotations

import json
import pickle
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.data.array_files.registry import is_array_file, open_array
from pipeline.errors import DataError

zarr = pytest.importorskip("zarr")
numcodecs = pytest.importorskip("numcodecs")
RANDOM = np.random.default_rng(0)
VERSIONS = pytest.mark.parametrize("version", [2, 3])


def numbers(*shape: int) -> NDArray[Any]:
    return RANDOM.integers(0, 60_000, shape).astype(np.uint16)


def group(path: Path, version: int, arrays: dict[str, NDArray[Any]], **attributes: Any) -> Path:
    root = zarr.open_group(path, mode="w", zarr_format=version, attributes=attributes or None)
    for name, values in arrays.items():
        chunks = tuple(min(16, side) for side in values.shape)
        root.create_array(name, data=values, chunks=chunks)
    return path


def multiscales(version: int, axes: str, levels: dict[str, float]) -> dict[str, Any]:
    image = {
        "axes": [{"name": letter} for letter in axes],
        "datasets": [
            {
                "path": path,
                "coordinateTransformations": [
                    {"type": "scale", "scale": [scale if c in "zyx" else 1 for c in axes]}
                ],
            }
            for path, scale in levels.items()
        ],
    }
    return {"multiscales": [image]} if version == 2 else {"ome": {"multiscales": [image]}}


@VERSIONS
def test_an_array_is_read_by_rows(version: int, tmp_path: Path) -> None:
    values = numbers(40, 50, 3)
    path = group(tmp_path / "a.zarr", version, {"only": values})
    found = open_array(path)
    assert found.axes == "YXC" and found.notes == () and is_array_file(path)
    assert np.array_equal(found.read(), values)
    assert np.array_equal(found.read(slice(13, 37)), values[13:37])
    assert pickle.loads(pickle.dumps(found)) == found
    assert np.array_equal(open_array(path / "only").read(), values)


@VERSIONS
def test_one_of_several_arrays_is_named(version: int, tmp_path: Path) -> None:
    arrays = {"image/raw": numbers(33, 40, 50), "image/labels": numbers(20, 30)}
    path = group(tmp_path / "a.zarr", version, arrays)
    with pytest.raises(DataError, match=r"a\.zarr contains 2 arrays \(image/labels, image/raw\)"):
        open_array(path)
    with pytest.raises(DataError, match=r"a\.zarr contains no array or group 'x'"):
        open_array(path, key="x")
    with pytest.raises(DataError, match=r"a\.zarr holds an array of 33×40×50.* by axes"):
        open_array(path, key="image/raw")
    found = open_array(path, key="image/raw", axes="ZYX")
    assert np.array_equal(found.read(slice(3, 20), plane=7), arrays["image/raw"][7, 3:20])
    assert np.array_equal(open_array(path, key="/image/labels/").read(), arrays["image/labels"])


@VERSIONS
@pytest.mark.parametrize("finest_first", [True, False])
def test_the_finest_level_of_ome_zarr(version: int, finest_first: bool, tmp_path: Path) -> None:
    fine = numbers(1, 2, 5, 40, 50)
    arrays = {"0": fine, "1": fine[..., ::2, ::2]}
    levels = {"0": 0.5, "1": 1.0}
    if not finest_first:
        levels = dict(reversed(levels.items()))
    path = group(tmp_path / "a.zarr", version, arrays, **multiscales(version, "tczyx", levels))
    found = open_array(path)
    assert (found.axes, found.shape) == ("ZYXC", (5, 40, 50, 2))
    assert found.spacing == (0.5, 0.5, 0.5) and found.notes == ("smaller copies left out",)
    for plane in range(5):
        assert np.array_equal(found.read(plane=plane), np.moveaxis(fine[0, :, plane], 0, 2))
    coarse = open_array(path, key="1", axes="_CZYX")
    assert np.array_equal(coarse.read(plane=3), np.moveaxis(fine[0, :, 3, ::2, ::2], 0, 2))


def test_an_image_within_a_group(tmp_path: Path) -> None:
    fine = numbers(5, 40, 50)
    root = zarr.open_group(tmp_path / "a.zarr", mode="w", zarr_format=2)
    inner = root.create_group("run/tomogram", attributes=multiscales(2, "zyx", {"0": 10.0}))
    inner.create_array("0", data=fine)
    found = open_array(tmp_path / "a.zarr", key="run/tomogram")
    assert found.axes == "ZYX" and found.spacing == (10, 10, 10)
    assert np.array_equal(found.read(plane=4), fine[4])


def test_frames_are_slices_unless_there_are_slices_too(tmp_path: Path) -> None:
    values = numbers(3, 20, 30)
    path = group(tmp_path / "a.zarr", 3, {"0": values}, **multiscales(3, "tyx", {"0": 1}))
    found = open_array(path)
    assert found.axes == "ZYX" and "3 frames are read as slices" in found.notes
    assert np.array_equal(found.read(plane=2), values[2])
    path = group(
        tmp_path / "b.zarr", 3, {"0": numbers(2, 3, 20, 30)}, **multiscales(3, "tzyx", {"0": 1})
    )
    with pytest.raises(DataError, match=r"b\.zarr holds 2 frames of 3 slices"):
        open_array(path)


def test_named_sides_and_no_data(tmp_path: Path) -> None:
    values = numbers(8, 9, 7)
    array = zarr.create_array(
        tmp_path / "a.zarr", data=values, dimension_names=["z", "y", "x"],
        attributes={"_FillValue": 7},
    )  # fmt: skip
    assert array.shape == values.shape
    found = open_array(tmp_path / "a.zarr")
    assert found.axes == "ZYX" and found.no_data == 7
    assert np.array_equal(found.read(plane=3), values[3])


@VERSIONS
def test_a_packed_group(version: int, tmp_path: Path) -> None:
    values = numbers(40, 50)
    store = zarr.storage.ZipStore(tmp_path / "a.zarr.zip", mode="w")
    root = zarr.open_group(store, mode="w", zarr_format=version)
    root.create_array("only", data=values, chunks=(16, 16))
    store.close()
    found = open_array(tmp_path / "a.zarr.zip")
    assert np.array_equal(found.read(slice(13, 37)), values[13:37])


@VERSIONS
def test_chunks_that_are_not_there_are_said(version: int, tmp_path: Path) -> None:
    path = group(tmp_path / "a.zarr", version, {"only": numbers(40, 50)})
    chunk = path / "only" / ("1.1" if version == 2 else "c/1/1")
    chunk.unlink()
    assert open_array(path).notes == (
        "1 of 12 chunks are not in the store: read as 0, its fill value",
    )


@pytest.mark.parametrize("blosc", [True, False])
@VERSIONS
def test_a_damaged_chunk_is_an_error(version: int, blosc: bool, tmp_path: Path) -> None:
    path = tmp_path / "a.zarr"
    codec: Any = zarr.codecs.BloscCodec() if version == 3 else numcodecs.Blosc()
    other: Any = zarr.codecs.GzipCodec() if version == 3 else numcodecs.GZip()
    root = zarr.open_group(path, mode="w", zarr_format=version)
    root.create_array(
        "only", data=numbers(40, 50), chunks=(16, 16), compressors=codec if blosc else other
    )
    chunk = path / "only" / ("1.1" if version == 2 else "c/1/1")
    data = chunk.read_bytes()
    for length in (3, 20, len(data) - 1):
        chunk.write_bytes(data[:length])
        found = open_array(path)
        assert found.read(slice(0, 16)).any()
        with pytest.raises(DataError, match=r"a\.zarr cannot be decoded"):
            found.read()
    (path / "only" / (".zarray" if version == 2 else "zarr.json")).write_text("{")
    with pytest.raises(DataError, match=r"a\.zarr"):
        open_array(path)


def test_sharded_arrays(tmp_path: Path) -> None:
    values = numbers(64, 48)
    root = zarr.open_group(tmp_path / "a.zarr", mode="w")
    root.create_array("only", data=values, chunks=(8, 8), shards=(32, 16))
    found = open_array(tmp_path / "a.zarr")
    assert found.notes == () and np.array_equal(found.read(slice(3, 50)), values[3:50])


class Trap:
    def __reduce__(self) -> Any:
        return (pytest.fail, ("unpickled",))


@pytest.mark.parametrize("place", ["filters", "compressor"])
def test_pickled_chunks_are_never_read(place: str, tmp_path: Path) -> None:
    path = group(tmp_path / "a.zarr", 2, {"only": np.zeros((4, 5), np.uint16)})
    header = json.loads((path / "only/.zarray").read_text())
    codec = {"id": "pickle", "protocol": 5}
    header |= {"compressor": None} | {place: [codec] if place == "filters" else codec}
    (path / "only/.zarray").write_text(json.dumps(header))
    (path / "only/0.0").write_bytes(pickle.dumps(Trap()))
    with pytest.raises(DataError, match=r"a\.zarr"):
        open_array(path).read()


def test_what_is_no_image_is_refused(tmp_path: Path) -> None:
    path = group(tmp_path / "a.zarr", 3, {"only": np.zeros((4, 5), np.complex64)})
    with pytest.raises(DataError, match=r"a\.zarr holds complex"):
        open_array(path)
    with pytest.raises(DataError, match=r"b\.zarr contains no array"):
        open_array(group(tmp_path / "b.zarr", 3, {}))
    (tmp_path / "c").mkdir()
    with pytest.raises(DataError, match=r"c is a folder, and none of zarr"):
        open_array(tmp_path / "c")
    assert not is_array_file(tmp_path / "c")


def test_a_chunk_larger_than_memory_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    zarr.create_array(
        tmp_path / "a.zarr", shape=(10**6, 10**6), chunks=(10**6, 10**6), dtype="u1", config={}
    )
    monkeypatch.setattr("pipeline.data.decoding_memory.available_bytes", lambda: 10**9)
    with pytest.raises(DataError, match=r"a\.zarr takes 1000\.0 GB"):
        open_array(tmp_path / "a.zarr").read(slice(0, 1))


def test_without_zarr_the_error_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = group(tmp_path / "a.zarr", 3, {"only": numbers(4, 5)})
    monkeypatch.setitem(sys.modules, "zarr", None)
    with pytest.raises(DataError, match=r"a\.zarr .*pip install 'maskmill\[zarr\]'"):
        open_array(path)
