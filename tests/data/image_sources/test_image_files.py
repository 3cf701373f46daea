"""Images whose bands are in the files of a list of patterns."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from pipeline.checks.lone_files import lone_files
from pipeline.checks.unmatched_files import find_leftovers
from pipeline.config import DataConfig
from pipeline.data.catalog import list_samples
from pipeline.data.image_sources.image_files import image_of
from pipeline.data.image_sources.registry import image_source
from pipeline.data.inspection import inspect
from pipeline.data.stamps import stamp_of
from pipeline.errors import ConfigError, DataError
from pipeline.prediction.image_list import list_images
from tests.helpers.data_folders import config, save

BANDS = ["red", "green", "blue", "nir"]
LIST = ["rgb/{id}.png", "nir/{id}.tif"]


def _data(root: Path, **keys: Any) -> DataConfig:
    return config(root, **{"images": LIST, "bands": BANDS, **keys})


def _draw(root: Path, each: str, value: int, nir: np.ndarray | None = None) -> None:
    """Colours value, value+1, value+2 in `rgb/`, 1000 + value in `nir/`, and a mask."""
    colours = np.full((6, 8, 3), [value, value + 1, value + 2], np.uint8)
    save(root / "rgb" / f"{each}.png", colours)
    (root / "nir").mkdir(exist_ok=True)
    deep = np.full((6, 8), 1000 + value, np.uint16) if nir is None else nir
    tifffile.imwrite(root / "nir" / f"{each}.tif", deep)
    save(root / "masks" / f"{each}.png", np.full((6, 8), 255, np.uint8))


def test_bands_are_joined_in_the_order_of_the_list(tmp_path: Path) -> None:
    for number, each in enumerate("ab"):
        _draw(tmp_path, each, 10 * number)
    data = _data(tmp_path, derive={"ratio": "nir / (red + 1)"})
    samples = list_samples(data).train
    assert [each.id for each in samples] == ["a", "b"]
    pixels = image_source(data).read(samples[1].image)
    assert pixels[0, 0].tolist() == [10, 11, 12, 1010, pytest.approx(1010 / 11)]
    other = data.model_copy(update={"images": tuple(LIST[::-1]), "derive": {}})
    first = list_samples(other).train[0]
    assert image_source(other).read(first.image)[0, 0].tolist() == [1000, 0, 1, 2]


def test_a_smaller_file_is_brought_to_the_first_ones_size(tmp_path: Path) -> None:
    _draw(tmp_path, "a", 0, np.full((3, 4), 7, np.uint16))
    data = _data(tmp_path)
    pixels = image_source(data).read(list_samples(data).train[0].image)
    assert pixels.shape == (6, 8, 4) and (pixels[..., 3] == 7).all()


def test_a_changed_file_of_the_list_is_another_sample(tmp_path: Path) -> None:
    _draw(tmp_path, "a", 0)
    data = _data(tmp_path)
    (sample,), source = list_samples(data).train, image_source(data)
    before = stamp_of(sample, "train", data, source)
    tifffile.imwrite(tmp_path / "nir/a.tif", np.zeros((6, 8, 1), np.uint16), compression="zlib")
    assert stamp_of(sample, "train", data, source) != before


def test_a_missing_file_of_one_id_is_an_error_that_names_it(tmp_path: Path) -> None:
    for each in "ab":
        _draw(tmp_path, each, 0)
    (tmp_path / "nir/b.tif").unlink()
    data = _data(tmp_path)
    one, other = inspect(list_samples(data), data, {}, lambda _: None, threads=1)
    assert not one.problem
    assert f"{tmp_path}/nir/b.tif cannot be read: No such file" in other.problem


@pytest.mark.parametrize("band", [False, True])
def test_ids_without_a_first_file_are_told(tmp_path: Path, band: bool) -> None:
    _draw(tmp_path, "a", 0)
    (tmp_path / "rgb/a.png").rename(tmp_path / "rgb/b.png")
    keys: dict[str, Any] = {}
    if band:
        save(tmp_path / "s/a_nir.png", np.zeros((4, 4), np.uint8))
        keys = {"images": "s/{id}_{band}.png", "bands": ["red", "nir"]}
    (found,) = lone_files(_data(tmp_path, **keys))
    assert found.severity == "warning"
    assert "has 1 id(s) that " in found.text and found.text.endswith("no images: a")
    assert found.subject == ("data.images (nir)" if band else "data.images (2)")


def test_numbers_of_bands_that_do_not_fit_are_named_file_by_file(tmp_path: Path) -> None:
    _draw(tmp_path, "a", 0, np.zeros((6, 8, 3), np.uint16))
    data = _data(tmp_path)
    with pytest.raises(
        DataError, match=r"a\.png has 3 channel\(s\), .*a\.tif has 3 .* data\.bands names 4: red"
    ):
        image_source(data).size_of(tmp_path / "rgb/a.png")


def test_files_of_one_folder_go_to_the_closest_pattern(tmp_path: Path) -> None:
    save(tmp_path / "s/a.png", np.full((4, 4), 1, np.uint8))
    save(tmp_path / "s/a_nir.png", np.full((4, 4), 2, np.uint8))
    data = _data(tmp_path, images=["s/{id}.png", "s/{id}_nir.png"], bands=["gray", "nir"])
    (sample,) = list_samples(data).train
    assert sample.id == "a"
    assert image_source(data).read(sample.image)[0, 0].tolist() == [1, 2]
    assert image_of(data, tmp_path / "s/a_nir.png") == image_of(data, sample.image)
    assert not find_leftovers(list_samples(data), data)


@pytest.mark.parametrize("deep", [False, True])
def test_predict_finds_the_files_of_an_image_outside_the_data(tmp_path: Path, deep: bool) -> None:
    patterns = ["train/rgb/{id}.png", "train/more/nir/{id}.tif" if deep else "train/nir/{id}.tif"]
    data = _data(tmp_path / "data", images=patterns)
    new = tmp_path / "new"
    _draw(new, "a", 5)
    if deep:
        (new / "more").mkdir()
        (new / "nir").rename(new / "more/nir")
    second = new / ("more/nir/a.tif" if deep else "nir/a.tif")
    for named in (new, new / "rgb/a.png", second):
        (sample,) = list_images([str(named)], data)
        assert sample.id == "a" and sample.image == new / "rgb/a.png"
        assert image_source(data).read(sample.image)[0, 0].tolist() == [5, 6, 7, 1005]
    with pytest.raises(DataError, match=r"no file called as one of rgb/\{id\}\.png or "):
        list_images([str(new / "masks/a.png")], data)
    second.unlink()
    with pytest.raises(DataError, match=r"1 file\(s\) of images are missing.*nir/\{id\}\.tif \("):
        list_images([str(new / "rgb/a.png")], data)


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ({"bands": None}, "a list of patterns needs the names of all bands"),
        ({"test": "test/{id}.png"}, "test needs a list of 2 patterns, as images"),
        ({"images": "rgb/{id}.png", "test": LIST}, "test needs one pattern, as images"),
        ({"images": ["rgb/{id}.png", "nir/{id}*.tif"]}, r"no \* in a list"),
        ({"images": ["rgb/{id}.png", "{band}/{id}.tif"]}, "unknown placeholder {band}"),
        ({"images": ["rgb/{id}.png", "nir.tif"]}, "must contain {id}"),
        ({"images": ["a/{id}.png", "a/{id}.png"]}, "a pattern stands twice"),
        ({"images": ["a/{id}.png"]}, "at least 2 items"),
        ({"bands": ["red"]}, "2 files have 2 bands or more"),
    ],
)
def test_lists_that_cannot_be_read_are_refused(
    tmp_path: Path, keys: dict[str, Any], says: str
) -> None:
    with pytest.raises(ConfigError, match=says):
        _data(tmp_path, **keys)
