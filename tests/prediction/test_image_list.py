"""The images that a user names for prediction: of every format that training reads."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pipeline.config import DataConfig, build_experiment
from pipeline.data.samples import SampleReader
from pipeline.errors import DataError
from pipeline.prediction.image_list import list_images
from tests.helpers.data_folders import config
from tests.helpers.kelp import kelp_experiment


def _bands(root: Path, **data: Any) -> DataConfig:
    chosen = {"bands": ["red", "nir"], "derive": {}, "no_data": None, "test": None, **data}
    return build_experiment(kelp_experiment(root, data=chosen), source="test").data


def _save(path: Path, value: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, np.full((4, 5), value, np.int16))
    return path


@pytest.fixture(params=["s/{id}_{band}.npy", "s/{id}/{band}.npy", "s/{band}/{id}.npy"])
def scenes(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[DataConfig, Path]:
    """Two scenes of two bands outside the data, and a band that the run does not know."""
    pattern = request.param
    for number, each in enumerate(("a_1", "b_2")):
        for place, band in enumerate(("red", "nir", "swir")):
            name = pattern.replace("{id}", each).replace("{band}", band).removeprefix("s/")
            _save(tmp_path / "new" / name, 10 * number + place)
    return _bands(tmp_path / "data", images=pattern), tmp_path / "new"


def test_a_file_a_band_is_an_image_called_by_its_id(scenes: tuple[DataConfig, Path]) -> None:
    data, folder = scenes
    found = [path for band in ("red", "nir") for path in sorted(folder.rglob(f"*{band}*"))]
    everything = [str(path) for path in found if path.suffix == ".npy" or path.parent == folder]
    glob = str(folder / "/".join("*" for _ in Path(data.images).parts[1:]))
    for named in ([str(folder)], [glob], everything):
        samples = list_images(named, data)
        assert sorted(each.id for each in samples) == ["a_1", "b_2"], named
        pixels = {each.id: SampleReader(data).image(each)[0, 0].tolist() for each in samples}
        assert pixels == {"a_1": [0, 1], "b_2": [10, 11]}


def test_any_band_stands_for_the_image(scenes: tuple[DataConfig, Path]) -> None:
    data, folder = scenes
    (nir,) = [path for path in folder.rglob("*.npy") if "nir" in str(path) and "b_2" in str(path)]
    (sample,) = list_images([str(nir)], data)
    assert sample.id == "b_2" and SampleReader(data).image(sample)[0, 0].tolist() == [10, 11]


def test_a_missing_band_is_named(scenes: tuple[DataConfig, Path]) -> None:
    data, folder = scenes
    (nir,) = [path for path in folder.rglob("*.npy") if "nir" in str(path) and "b_2" in str(path)]
    nir.unlink()
    with pytest.raises(DataError, match=r"1 file\(s\) of images are missing.*b_2: the band nir \("):
        list_images([str(folder)], data)


def test_a_name_of_no_band_is_refused(scenes: tuple[DataConfig, Path]) -> None:
    data, folder = scenes
    (swir,) = [path for path in folder.rglob("*.npy") if "swir" in str(path) and "a_1" in str(path)]
    with pytest.raises(DataError, match=r"no file called as that of a band, .*red or nir for"):
        list_images([str(swir)], data)


def test_the_longest_band_that_fits_is_meant(tmp_path: Path) -> None:
    data = _bands(tmp_path / "data", images="{id}_{band}.npy", bands=["a", "x_a"])
    for number, name in enumerate(("s_a.npy", "s_x_a.npy")):
        _save(tmp_path / name, number)
    (sample,) = list_images([str(tmp_path / "s_x_a.npy")], data)
    assert sample.id == "s" and SampleReader(data).image(sample)[0, 0].tolist() == [0, 1]


def test_a_folder_holds_images_of_every_format_that_is_read(tmp_path: Path) -> None:
    """Also those whose names do not say what they are; no tables, archives and hidden files."""
    zarr = pytest.importorskip("zarr")
    nibabel = pytest.importorskip("nibabel")
    folder = tmp_path / "new"
    folder.mkdir()
    plane = np.arange(20, dtype=np.int16).reshape(4, 5)
    np.save(folder / "a.npy", plane)
    np.savez(folder / "b.npz", x=plane)
    nibabel.save(nibabel.Nifti1Image(plane, np.eye(4)), folder / "c.nii.gz")
    zarr.save(folder / "d.zarr", plane)
    Image.fromarray(plane.astype(np.uint16)).save(folder / "e.png")
    Image.fromarray(plane.astype(np.uint16)).save(folder / "f.tif")
    shutil.copy(folder / "a.npy", folder / "g.raster")
    shutil.copy(folder / "a.npy", folder / "h")
    for name in ("notes.txt", "areas.csv", ".hidden.npy"):
        (folder / name).write_text("id,share\n")
    (folder / "more").mkdir()
    data = _bands(tmp_path, images="train/{id}.npy", bands=["x"])
    samples = list_images([str(folder)], data)
    assert [each.id for each in samples] == list("abcdefgh")
    assert [each.id for each in list_images([f"{folder}/*.zarr"], data)] == ["d"]
    for each in samples:
        assert sorted(SampleReader(data).image(each).ravel()) == list(range(20)), each.id


def test_a_run_of_photographs_takes_photographs(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.zeros((4, 5), np.uint8))
    Image.new("RGB", (5, 4)).save(tmp_path / "b.png")
    data = config(tmp_path)
    assert [each.id for each in list_images([str(tmp_path)], data)] == ["b"]
