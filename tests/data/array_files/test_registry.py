"""What is in a file decides how it is read; what was asked for and cannot be is an error."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from pipeline.data.array_files.registry import is_array_file, open_array
from pipeline.errors import DataError

RANDOM = np.random.default_rng(0)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    values = RANDOM.integers(0, 60_000, (20, 30)).astype(np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", values)
    Image.fromarray(values).save(tmp_path / "a.png")
    np.save(tmp_path / "a.npy", values)
    np.savez(tmp_path / "a.npz", only=values)
    return tmp_path


@pytest.mark.parametrize("kind", ["tif", "png", "npy", "npz"])
def test_names_of_files_mean_nothing(kind: str, folder: Path) -> None:
    expected = open_array(folder / f"a.{kind}").read()
    (folder / f"a.{kind}").rename(folder / "b.jpg")
    assert np.array_equal(open_array(folder / "b.jpg").read(), expected)
    assert is_array_file(folder / "b.jpg")


@pytest.mark.parametrize("kind", ["tif", "png", "npy"])
def test_a_key_for_a_file_without_names_is_an_error(kind: str, folder: Path) -> None:
    with pytest.raises(DataError, match=rf"a\.{kind} has one array without a name; .*'image'"):
        open_array(folder / f"a.{kind}", key="image")


@pytest.mark.parametrize("kind", ["tif", "png", "npy", "npz"])
def test_axes_that_do_not_fit_are_an_error(kind: str, folder: Path) -> None:
    assert open_array(folder / f"a.{kind}", axes="YX").shape == (20, 30)
    with pytest.raises(DataError, match=rf"a\.{kind} .*axes 'ZYX'"):
        open_array(folder / f"a.{kind}", axes="ZYX")


def test_pictures_of_eight_bits_are_left_to_the_reader_of_rgb(tmp_path: Path) -> None:
    for mode in ("L", "RGB", "RGBA", "1"):
        image = Image.fromarray(RANDOM.integers(0, 255, (9, 9, 4)).astype(np.uint8)).convert(mode)
        for kind in ("png", "tif"):
            image.save(tmp_path / f"a.{kind}")
            assert not is_array_file(tmp_path / f"a.{kind}")
    tifffile.imwrite(tmp_path / "b.tif", np.zeros((9, 9, 5), np.uint8), photometric="minisblack")
    assert is_array_file(tmp_path / "b.tif")


def test_all_rows_none_and_planes_that_are_not_there(folder: Path) -> None:
    found = open_array(folder / "a.tif")
    assert found.read(slice(7, 7)).shape == (0, 30) and found.read(slice(15, 99)).shape == (5, 30)
    assert np.array_equal(found.read(slice(-5, None)), found.read()[-5:])
    with pytest.raises(DataError, match=r"a\.tif has no slice 1"):
        found.read(plane=1)
    with pytest.raises(DataError, match=r"a\.tif has no slice -1"):
        found.read(plane=-1)


def test_a_file_that_went_away_is_an_error(folder: Path) -> None:
    for kind in ("tif", "png", "npy", "npz"):
        found = open_array(folder / f"a.{kind}")
        (folder / f"a.{kind}").unlink()
        with pytest.raises(DataError, match=rf"a\.{kind} cannot be read: No such file"):
            found.read()


def test_the_libraries_of_extras_are_not_imported_before_they_are_needed() -> None:
    code = (
        "import sys, pipeline.data.array_files.registry\n"
        "assert not {'pydicom', 'nibabel', 'zarr', 'tifffile'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
