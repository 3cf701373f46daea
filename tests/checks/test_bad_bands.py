"""What is wrong with bands and stacks of some images is told with their ids."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from pipeline.checks.findings import find_problems
from pipeline.checks.number_types import mixed_types
from pipeline.config import Experiment
from pipeline.data.catalog import list_samples
from pipeline.data.groups import groups_or_error
from pipeline.data.inspection import inspect
from pipeline.errors import DataError
from pipeline.training.band_statistics import RunningStatistics
from tests.helpers.data_folders import experiment, save

KEYS: dict[str, Any] = {"images": "images/{id}.npy", "bands": ["nir", "red"]}


def _save(root: Path, each: str, scene: np.ndarray[Any, Any], part: str = "images") -> None:
    (root / part).mkdir(exist_ok=True)
    np.save(root / part / f"{each}.npy", scene)
    if part == "images":
        save(root / "masks" / f"{each}.png", np.eye(6, dtype=np.uint8))


def _scene(seed: int, dtype: str = "u2") -> np.ndarray[Any, Any]:
    return np.random.default_rng(seed).integers(1, 200, (6, 6, 2)).astype(dtype)


def _findings(chosen: Experiment) -> dict[str, str]:
    """Text → severity of all that check finds."""
    data = chosen.data
    catalog = list_samples(data)
    records = inspect(catalog, data, {}, lambda _: None, threads=1)
    groups = groups_or_error(catalog, data)
    return {each.text: each.severity for each in find_problems(catalog, records, groups, chosen)}


def test_bands_without_data_and_constant_ones(tmp_path: Path) -> None:
    for number in range(4):
        scene = _scene(number, "f4")
        if number == 1:
            scene[:] = np.nan
        if number == 2:
            scene[..., 1] = 7
        _save(tmp_path, f"i{number}", scene)
    found = _findings(experiment(tmp_path, **KEYS))
    warned = {text for text, severity in found.items() if severity == "warning"}
    assert {
        "band nir has no data at all: i1",
        "band red has no data at all: i1",
        "band red is constant: i2",
        "pixels lack data in some band: i1",
    } <= warned


def test_statistics_leave_an_image_without_data_out() -> None:
    """And are an error where no image has any."""
    running = RunningStatistics()
    running.add(np.full((3, 3), np.nan, np.float32))
    with pytest.raises(DataError, match="band nir has no data in any training image"):
        running.finish("nir", [1, 99])
    running.add(np.full((3, 3), 5, np.float32))
    found = running.finish("nir", [1, 99])
    assert (found.mean, found.deviation, found.lowest, found.highest) == (5, 0, 5, 5)
    assert not found.varies and found.percentiles == {1: 5, 99: 5}


def test_types_of_numbers_that_differ_from_id_to_id(tmp_path: Path) -> None:
    for number in range(4):
        _save(tmp_path, f"i{number}", _scene(number, "u1" if number == 2 else "u2"))
        _save(tmp_path, f"t{number}", _scene(9 + number, "f4"), "test")
    data = experiment(tmp_path, **KEYS, test="test/{id}.npy").data
    mixed, apart = mixed_types(list_samples(data), data)
    assert mixed.severity == "warning" and mixed.subject == "data.images"
    assert mixed.text.startswith("1 image(s) hold uint8, the others uint16: i2; values are read")
    assert apart.text.startswith("most images hold float32, those of train uint16; values")
    _save(tmp_path, "i2", _scene(2))
    alone = experiment(tmp_path, **KEYS).data
    assert not list(mixed_types(list_samples(alone), alone))
    rgb = cast(Any, SimpleNamespace(bands=None))
    assert not list(mixed_types(list_samples(alone), rgb))


def test_gaps_and_doubled_positions_of_a_stack(tmp_path: Path) -> None:
    for name in ("a_1", "a_01", "a_4", "b_0", "b_1"):
        _save(tmp_path, name, _scene(ord(name[0]) + len(name)))
    stack = {"of": r"^(\w)_", "position": r"_(\d+)$"}
    found = _findings(experiment(tmp_path, **KEYS, stack=stack))
    assert found["a_01, a_1 have the same position in one stack"] == "error"
    gap = next(text for text in found if "without an image" in text)
    assert gap.startswith("2 position(s) without an image in a;") and found[gap] == "warning"
