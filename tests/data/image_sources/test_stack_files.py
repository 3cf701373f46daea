"""Neighbours of images that lie outside the data of the experiment."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.config import DataConfig, build_experiment
from pipeline.data.image_sources.registry import image_source
from pipeline.errors import DataError
from pipeline.prediction.image_list import list_images
from tests.helpers.data_folders import save
from tests.helpers.kidney import kidney_experiment


def _data(root: Path, **data: Any) -> DataConfig:
    (root / "train").mkdir(parents=True)
    return build_experiment(kidney_experiment(root, data=data), source="x").data


def _shown(data: DataConfig, path: Path) -> list[float]:
    """The value of each neighbour of a constant image; NaN where there is none."""
    values: list[float] = image_source(data).read(path)[0, 0].tolist()
    return values


def _draw(folder: Path, name: str, values: range) -> None:
    """`name` with each number in it, for an image of that value."""
    for value in values:
        path = folder / name.replace("{n}", f"{value:02d}")
        save(path, np.full((4, 5), value, np.uint16))


def test_neighbours_lie_beside_the_image(tmp_path: Path) -> None:
    data = _data(tmp_path / "data")
    _draw(tmp_path / "new", "kidney7_{n}.png", range(3, 6))
    _draw(tmp_path / "new", "kidney8_{n}.png", range(5, 7))
    save(tmp_path / "new/other.png", np.zeros((4, 5), np.uint8))
    shown = {
        each.id: _shown(data, each.image)
        for each in list_images([f"{tmp_path}/new/kidney*.png"], data)
    }
    assert shown == {
        "kidney7_03": [3, 3, 4],
        "kidney7_04": [3, 4, 5],
        "kidney7_05": [4, 5, 5],
        "kidney8_05": [5, 5, 6],
        "kidney8_06": [5, 6, 6],
    }
    edges = data.stack.model_copy(update={"edges": "no_data"})  # type: ignore[union-attr]
    found = _shown(data.model_copy(update={"stack": edges}), tmp_path / "new/kidney7_03.png")
    assert np.isnan(found[0]) and found[1:] == [3, 4]


def test_a_file_that_came_later_is_found(tmp_path: Path) -> None:
    data = _data(tmp_path / "data")
    source = image_source(data)
    _draw(tmp_path / "new", "kidney7_{n}.png", range(3, 4))
    assert source.read(tmp_path / "new/kidney7_03.png")[0, 0].tolist() == [3, 3, 3]
    _draw(tmp_path / "new", "kidney7_{n}.png", range(4, 5))
    assert source.read(tmp_path / "new/kidney7_04.png")[0, 0].tolist() == [3, 4, 4]


def test_another_ending_and_ids_in_folders(tmp_path: Path) -> None:
    data = _data(tmp_path / "data")
    _draw(tmp_path / "new", "kidney7_{n}.tif", range(3, 5))
    assert _shown(data, tmp_path / "new/kidney7_04.tif") == [3, 4, 4]
    folders = _data(tmp_path / "more", images="train/{id}/scan.png", test=None)
    _draw(tmp_path / "new", "kidney7_{n}/scan.png", range(8, 10))
    assert _shown(folders, tmp_path / "new/kidney7_08/scan.png") == [8, 8, 9]


def test_files_of_several_bands_have_neighbours(tmp_path: Path) -> None:
    patterns = ["train/a/{id}.png", "train/b/{id}.png"]
    data = _data(tmp_path / "data", images=patterns, test=None, bands=["x", "y"])
    _draw(tmp_path / "new/a", "kidney7_{n}.png", range(3, 5))
    for value in (3, 4):
        save(tmp_path / f"new/b/kidney7_{value:02d}.png", np.full((4, 5), 10 * value, np.uint16))
    (sample,) = list_images([f"{tmp_path}/new/b/kidney7_04.png"], data)
    assert _shown(data, sample.image) == [3, 30, 4, 40, 4, 40]


def test_names_without_a_place_and_doubled_positions_are_refused(tmp_path: Path) -> None:
    data = _data(tmp_path / "data")
    save(tmp_path / "new/other.png", np.zeros((4, 5), np.uint16))
    with pytest.raises(DataError, match=r"other\.png: its name says no stack .*\{id\}\.png"):
        _shown(data, tmp_path / "new/other.png")
    _draw(tmp_path / "new", "kidney7_{n}.png", range(3, 4))
    save(tmp_path / "new/kidney7_003.png", np.zeros((4, 5), np.uint16))
    with pytest.raises(DataError, match=r"kidney7_0.*3\.png have the same position in one stack"):
        _shown(data, tmp_path / "new/kidney7_03.png")
