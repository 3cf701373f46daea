"""The files of an image whose bands have a file each."""

from __future__ import annotations

import re
from pathlib import Path

from pipeline.config import DataConfig
from pipeline.data.catalog import as_regex
from pipeline.errors import DataError

_PLACEHOLDER = re.escape("{band}")


def files_of(data: DataConfig, path: Path) -> tuple[Path, ...]:
    """The file of each band; `path`: the first one's. A single file where bands share it."""
    assert data.bands is not None
    for pattern in (data.images, data.test, data.reference, data.test_reference):
        if pattern is not None and "{band}" in pattern:
            found = _siblings(data, pattern, path)
            if found is not None:
                return found
    if "{band}" in data.images:
        raise DataError(
            f"{path} is not the file of the band {data.bands[0]} where data.images or data.test "
            "look, so the files of its other bands are not known; put the image there"
        )
    return (path,)


def _siblings(data: DataConfig, pattern: str, path: Path) -> tuple[Path, ...] | None:
    assert data.bands is not None
    try:
        name = path.absolute().relative_to(data.root.absolute()).as_posix()
    except ValueError:
        return None
    first = f"({re.escape(data.bands[0])})"
    regex = re.compile(as_regex(pattern).replace(_PLACEHOLDER, first))
    match = regex.fullmatch(name)
    if match is None:
        return None
    named = set(regex.groupindex.values())
    places = [match.span(group) for group in range(1, regex.groups + 1) if group not in named]
    return tuple(data.root / _with(name, places, band) for band in data.bands)


def _with(name: str, places: list[tuple[int, int]], band: str) -> str:
    for start, stop in reversed(places):
        name = name[:start] + band + name[stop:]
    return name


def files_below(path: Path) -> tuple[Path, ...]:
    """The file itself; of a folder that is one image (zarr) all files in it, in a fixed order."""
    if not path.is_dir():
        return (path,)
    return tuple(sorted(each for each in path.rglob("*") if each.is_file()))
