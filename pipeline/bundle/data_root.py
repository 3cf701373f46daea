"""Finds the competition's data below a folder of inputs: where it is mounted differs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from pipeline.config import DataConfig
from pipeline.data.name_patterns import folders_of, matching
from pipeline.errors import DataError

DEPTH = 3
"""Folders below the inputs: `competitions/<slug>/<data>`."""


def find_data_root(inputs: Path, data: DataConfig, sample: Path | None) -> Path:
    """The folder that has test images, and the sample submission if one is named. If nothing has
    images, that with the folder of `data.test`, or with the sample: empty folders are not mounted.

    Of several the nearest, then the first by name. DataError where there is none.
    """
    assert data.test is not None
    pattern = next(iter(data.by_file(data.test).values()))
    likely = [each for each in _folders(inputs) if sample is None or (each / sample).exists()]
    for folder in likely:
        if folders_of(folder, pattern) and matching(folder, pattern):
            return folder
    named = [each for each in likely if "/" in pattern and folders_of(each, pattern)]
    if candidates := named or (likely if sample is not None else []):
        return candidates[0]
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
