"""Records of images of bands: folders of zarr, and stacks whose slices are read once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pipeline.checks.stack_findings import stack_problems
from pipeline.config import DataConfig, build_experiment
from pipeline.data.array_files.array_file import ArrayFile
from pipeline.data.catalog import list_samples
from pipeline.data.inspection import Record, inspect
from tests.helpers.kidney import draw_kidney, kidney_experiment


def _records(data: DataConfig, known: list[Record] | None = None) -> list[Record]:
    before = {(each.part, each.id): each for each in known or ()}
    return inspect(list_samples(data), data, before, lambda _: None, threads=1)


def _data(root: Path, **data: Any) -> DataConfig:
    return build_experiment(kidney_experiment(root, data=data), source="test").data


def test_folders_of_zarr_are_found_by_patterns(tmp_path: Path) -> None:
    zarr = pytest.importorskip("zarr")
    for number, name in enumerate(("train/a.zarr", "train/b.zarr", "test/c.zarr")):
        array = zarr.create_array(tmp_path / name, shape=(8, 8), chunks=(4, 4), dtype="i2")
        array[:] = np.arange(64).reshape(8, 8) + number
    (tmp_path / "train/other.zarr").mkdir()
    (tmp_path / "masks").mkdir()
    for name in "ab":
        Image.new("L", (8, 8)).save(tmp_path / f"masks/{name}.png")
    data = _data(tmp_path, images="train/{id}.zarr", test="test/{id}.zarr", stack=None)
    records = _records(data)
    assert [(each.id, each.problem, each.height) for each in records] == [
        ("a", "", 8), ("b", "", 8), ("c", "", 8),
    ]  # fmt: skip
    array = zarr.open_array(tmp_path / "train/b.zarr")
    array[6, 6] = -1
    again = _records(data, records)
    assert again[0] == records[0] and again[2] == records[2], "these are as they were"
    assert again[1].digest != records[1].digest and again[1].picture != records[1].picture


def test_a_slice_is_read_once_however_many_neighbours_see_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw_kidney(tmp_path, stacks=1, slices=5, test=1)
    read: list[Path] = []
    stored = ArrayFile.read

    def noted(self: ArrayFile, rows: slice = slice(None), plane: int | None = None) -> np.ndarray:
        read.append(self.path)
        return stored(self, rows, plane)

    monkeypatch.setattr(ArrayFile, "read", noted)
    stack = {**kidney_experiment(tmp_path)["data"]["stack"], "neighbours": [-2, -1, 0, 1, 2]}
    data = _data(tmp_path, stack=stack)
    records = _records(data)
    assert len(read) == len(set(read)) == 10
    first = tmp_path / "train/kidney0_00.png"
    Image.fromarray(np.full((48, 48), 7, np.uint16)).save(first)
    again = _records(data, records)
    changed = [each.id for each, old in zip(again, records, strict=True) if each != old]
    assert changed == ["kidney0_00", "kidney0_01", "kidney0_02"]
    differing = [each.id for each, old in zip(again, records, strict=True)
                 if each.picture != old.picture]  # fmt: skip
    assert differing == ["kidney0_00"]


def test_slices_of_two_sizes_in_one_stack_are_an_error(tmp_path: Path) -> None:
    draw_kidney(tmp_path, stacks=2, slices=3)
    for part in ("train", "masks"):
        Image.new("I;16" if part == "train" else "L", (40, 48)).save(
            tmp_path / part / "kidney1_01.png"
        )
    data = _data(tmp_path)
    catalog = list_samples(data)
    records = inspect(catalog, data, {}, lambda _: None, threads=1)
    (finding,) = stack_problems(catalog, records, {}, data)
    assert finding.severity == "error" and "both are of the stack kidney1" in finding.text
    assert "48×40" in finding.text and "48×48" in finding.text
