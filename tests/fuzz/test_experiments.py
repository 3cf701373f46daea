"""Experiments: whatever a YAML file holds is a valid experiment or one ConfigError."""

from __future__ import annotations

import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from pipeline.config import load_experiment
from pipeline.errors import ConfigError
from pipeline.known_names import name_checks
from tests.helpers.fuzz_rounds import Record, for_minutes, mutated, report, some

FOLDER = Path(__file__).parents[2] / "configs"
CONFIGS = [FOLDER / f"{name}.yaml" for name in ("own", "demo", "presets/carvana", "camvid")]
ODD: list[Any] = [
    None,
    True,
    False,
    0,
    -1,
    10**30,
    1e308,
    float("nan"),
    float("inf"),
    "",
    "x",
    "no",
    "1e3",
    "..",
    "{id}",
    "{id}_{class}/*",
    "(a+)+$",
    "a\0b",
    [],
    {},
    [[]],
    {"a": None},
    {1: 2},
    [None, True],
    "x" * 5000,
    ["identity"] * 70,
    "2017-01-01",
    {"name": "fbeta", "beta": -1},
    [0, 0],
    [10**9] * 2,
    "blend",
    "d4+d4+d4",
    {"csv": "x"},
    {"size": [0, -3]},
    "*x",
    "&x",
    "!!python/name:os.system",
]
SNIPPETS = [
    b"<<: *a\n",
    b"&a ",
    b"*a",
    b"!!binary ",
    b"\t",
    b"---\n",
    b"\xff",
    b"\xef\xbb\xbf",
    b": ",
    b"? ",
    b"[" * 50,
    b"{" * 50,
    b"!!python/object/apply:os.getcwd []",
    b"0x" + b"F" * 5000,
    b"\\ud800",
    b"'",
    b"extends: own.yaml\n",
    b"!!set ",
    b"!!omap ",
    b"1:1:1:1",
    b"2024-13-45",
    b"\x00",
    b"|\n",
    b"<<: ",
]


def experiments(rounds: Iterator[np.random.Generator]) -> Counter[str]:
    ends: Counter[str] = Counter()
    checks = name_checks()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "x.yaml")
        for random in rounds:
            path.write_bytes(_mutation(CONFIGS[random.integers(len(CONFIGS))].read_bytes(), random))
            started = time.process_time()
            try:
                load_experiment(path, checks=checks)
                ends["valid"] += 1
            except ConfigError as error:
                assert "x.yaml" in str(error)
                str(error).encode()
                ends["refused"] += 1
            assert time.process_time() - started < 60
    return ends


def _mutation(data: bytes, random: np.random.Generator) -> bytes:
    kind = random.random()
    if kind < 0.3:
        return mutated(data, random)
    if kind < 0.5:
        place = int(random.integers(len(data)))
        return data[:place] + SNIPPETS[random.integers(len(SNIPPETS))] + data[place:]
    raw = yaml.safe_load(data)
    for _ in range(random.integers(1, 3)):
        block, key = _somewhere(raw, random)
        block[key] = ODD[random.integers(len(ODD))]
    return yaml.safe_dump(raw, allow_unicode=True).encode()


def _somewhere(value: Any, random: np.random.Generator) -> tuple[Any, Any]:
    """A mapping or list at any depth, and one of its keys."""
    keys = list(value) if isinstance(value, dict) else list(range(len(value)))
    key = keys[random.integers(len(keys))]
    below = value[key]
    if isinstance(below, dict | list) and below and random.random() < 0.75:
        return _somewhere(below, random)
    return value, key


def test_experiments(record_property: Record) -> None:
    ends = report(record_property, experiments, some(40))
    assert ends["valid"] > 2 and ends["refused"] > 10


@pytest.mark.slow
def test_experiments_for_minutes(record_property: Record) -> None:
    report(record_property, experiments, for_minutes())
