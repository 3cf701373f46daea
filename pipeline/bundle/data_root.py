"""Finds the competition's data below a folder of inputs: where it is mounted differs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from pipeline.config import DataConfig
from pipeline.data.name_patterns import folders_of
from pipeline.errors import DataError

DEPTH = 3
"""Folders below the inputs: `competitions/<slug>/<data>`."""


def find_data_root(inputs: Path, data: DataConfig, sample: Path | None) -> Path:
    """The folder that has the folder of `data.test`, and the sample submission if one is named.

    Of several the nearest, then the first by name. DataError where there is none.
    """
    assert data.test is not None
    pattern = next(iter(data.by_file(data.test).values()))
    for folder in _folders(inputs):
        if (sample is None or (folder / sample).exists()) and folders_of(folder, pattern):
            return folder
    wanted = f"{pattern} and {sample}" if sample else pattern
    raise DataError(
        f"no folder below {inputs} has {wanted}; attach the competition's data to the notebook"
    )


def _folders(top: Path) -> Iterator[Path]:
    """`top` and the folders below it, the nearest first."""
    level = [top]
    for depth in range(DEPTH + 1):
        yield from level
        if depth < DEPTH:
            level = [each for folder in level for each in _below(folder)]


def _below(folder: Path) -> list[Path]:
    with os.scandir(folder) as entries:
        return sorted(Path(each.path) for each in entries if each.is_dir())
