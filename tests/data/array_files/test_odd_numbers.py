"""Numbers that are no pixels: refused in every format, with what to do."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from pipeline.data.array_files.registry import open_array
from pipeline.data.image_sources.registry import image_source
from pipeline.data.volumes import stored_volume
from pipeline.errors import DataError
from tests.helpers.data_folders import config

Save = Callable[[Path, np.ndarray[Any, Any]], object]


def _nifti(path: Path, values: np.ndarray[Any, Any]) -> None:
    nibabel = pytest.importorskip("nibabel")
    nibabel.save(nibabel.Nifti1Image(values, np.eye(4)), path)


def _zarr(path: Path, values: np.ndarray[Any, Any]) -> None:
    pytest.importorskip("zarr").save(path, values)


def _npz(path: Path, values: np.ndarray[Any, Any]) -> None:
    np.savez(path, values)


SAVES: dict[str, Save] = {
    "a.tif": tifffile.imwrite,
    "a.npy": np.save,
    "a.npz": _npz,
    "a.nii": _nifti,
    "a.nii.gz": _nifti,
    "a.zarr": _zarr,
}


@pytest.mark.parametrize("dtype", ["complex64", "complex128"])
@pytest.mark.parametrize("name", SAVES)
def test_complex_numbers(name: str, dtype: str, tmp_path: Path) -> None:
    """As an image, as a volume, and without named bands; the message tells what to save."""
    path = tmp_path / name
    SAVES[name](path, np.ones((8, 9), dtype))
    for read in (open_array, stored_volume):
        with pytest.raises(DataError) as error:
            read(path)
        assert str(error.value).startswith(f"{path} holds complex numbers ({dtype}); save")
    if path.is_file():
        with pytest.raises(DataError, match="complex"):
            image_source(config(tmp_path)).examine(path.read_bytes(), path)


@pytest.mark.parametrize(
    ("values", "says"),
    [
        (np.full((8, 9), None, object), "holds Python objects, which are never read"),
        (np.zeros((8, 9), "datetime64[s]"), r"holds datetime64\[s\], which are no numbers"),
        (np.zeros((8, 9), "timedelta64[ms]"), r"holds timedelta64\[ms\], which are no numbers"),
        (np.full((8, 9), "a"), "holds <U1, which are no numbers"),
        (np.zeros((8, 9), [("x", "f4"), ("y", "u1")]), r"holds \[.*, which are no numbers"),
    ],
)
def test_arrays_of_other_things(values: np.ndarray[Any, Any], says: str, tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", values, allow_pickle=True)
    np.savez(tmp_path / "a.npz", x=values)
    for name in ("a.npy", "a.npz"):
        with pytest.raises(DataError, match=rf"{name} {says}"):
            open_array(tmp_path / name)


@pytest.mark.filterwarnings("ignore:.*stable.*", "ignore:.*specification.*")
def test_zarr_of_times_and_of_texts(tmp_path: Path) -> None:
    zarr = pytest.importorskip("zarr", minversion="3.1")
    for name, dtype, says in (
        ("t.zarr", "datetime64[s]", r"datetime64\[s\]"),
        ("s.zarr", str, "texts"),
    ):
        zarr.create_array(tmp_path / name, shape=(8, 9), dtype=dtype)
        with pytest.raises(DataError, match=rf"{name} holds {says}, which are no numbers"):
            open_array(tmp_path / name)


@pytest.mark.parametrize("bands", ["RGB", "RGBA"])
def test_colours_of_nifti_are_bands(bands: str, tmp_path: Path) -> None:
    values = np.zeros((8, 9, 3), [(name, "u1") for name in bands])
    values["G"] = 7
    _nifti(tmp_path / "a.nii", values)
    found = open_array(tmp_path / "a.nii")
    assert found.axes == "ZYXC" and found.shape == (3, 9, 8, len(bands))
    assert found.read(plane=1)[0, 0].tolist() == [0, 7, 0, 0][: len(bands)]


@pytest.mark.parametrize(
    ("tag", "value", "says"),
    [
        ("SampleFormat", 5, r"holds complex numbers \(integers\)"),
        ("SampleFormat", 6, r"holds complex numbers \(complex16\)"),
        ("SampleFormat", 99, "has numbers of the unknown TIFF sample format 99; save"),
        ("BitsPerSample", 15, "has numbers of 15 bits, which are not read; save"),
        ("Compression", 51000, r"is compressed in a way that is not read \(51000\); save"),
        ("PhotometricInterpretation", 777, r"has colours that are not read \(777\); convert"),
    ],
)
def test_tags_of_a_tiff_that_are_not_known(tag: str, value: int, says: str, tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.ones((20, 30), np.int16), photometric="minisblack")
    with tifffile.TiffFile(path) as file:
        place = file.pages[0].tags[tag].valueoffset  # type: ignore[union-attr]
    content = bytearray(path.read_bytes())
    content[place : place + 2] = value.to_bytes(2, "little")
    path.write_bytes(content)
    with pytest.raises(DataError, match=rf"a\.tif {says}"):
        open_array(path)
