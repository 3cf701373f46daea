"""The files of an image whose bands have a file each."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from pipeline.config import DataConfig
from pipeline.data.catalog import as_glob, as_regex
from pipeline.errors import DataError

_PLACEHOLDER = re.escape("{band}")
_WILD = re.compile(r"[{*]")


class BandFiles(NamedTuple):
    """An image of which some file was named."""

    id: str
    files: tuple[Path, ...]
    """Of each band of `data.bands`, whether it is there or not."""


def files_of(data: DataConfig, path: Path) -> tuple[Path, ...]:
    """The file of each band; `path`: of one of them. A single file where bands share it."""
    if not has_band_files(data):
        return (path,)
    found = image_of(data, path)
    if found is None:
        raise DataError(
            f"{path} is not called as the file of a band: none of {', '.join(data.bands or ())} "
            f"for {{band}} in {' or '.join(tails(data))}, so the files of its other bands are not "
            "known; name it so"
        )
    return found.files


def has_band_files(data: DataConfig) -> bool:
    """True if an image has a file for each band."""
    return "{band}" in data.images


def image_of(data: DataConfig, path: Path) -> BandFiles | None:
    """The image that a file is a band of: below `data.root` where patterns look; elsewhere by the
    last names of its path, as far as patterns leave them open. None for other files.
    """
    whole = path.absolute()
    try:
        below = whole.relative_to(data.root.absolute()).as_posix()
    except ValueError:
        below = ""
    for pattern in _patterns(data) if below else ():
        if found := _by_name(data, pattern, below, data.root):
            return found
    for tail in tails(data):
        depth = len(Path(tail).parts)
        given = path if len(path.parts) >= depth else whole
        if len(whole.parts) > depth and (
            found := _by_name(
                data, tail, Path(*whole.parts[-depth:]).as_posix(), given.parents[depth - 1]
            )
        ):
            return found
    return None


def tails(data: DataConfig) -> list[str]:
    """The ends of the patterns of images, from their first open name on."""
    return list(dict.fromkeys(_tail(pattern) for pattern in _patterns(data)))


def below_folder(data: DataConfig, folder: Path) -> list[Path]:
    """The files of bands in a folder and in those within it, as deep as patterns reach."""
    globs = {"/".join(Path(tail).parts[start:])
             for tail in tails(data) for start in range(len(Path(tail).parts))}  # fmt: skip
    named = {path for each in globs for path in folder.glob(as_glob(each.replace("{band}", "*")))}
    return sorted(path for path in named if not path.name.startswith("."))


def _patterns(data: DataConfig) -> Iterator[str]:
    for pattern in (data.images, data.test, data.reference, data.test_reference):
        if pattern is not None and "{band}" in pattern:
            yield pattern


def _tail(pattern: str) -> str:
    parts = Path(pattern).parts
    first = next(number for number, part in enumerate(parts) if _WILD.search(part))
    return "/".join(parts[first:])


def _by_name(data: DataConfig, pattern: str, name: str, folder: Path) -> BandFiles | None:
    """name: of a file below `folder`. Where it fits several bands, it is of the longest name."""
    assert data.bands is not None
    for band in sorted(data.bands, key=len, reverse=True):
        regex = re.compile(as_regex(pattern).replace(_PLACEHOLDER, f"({re.escape(band)})"))
        match = regex.fullmatch(name)
        if match is not None:
            named = set(regex.groupindex.values())
            places = [match.span(group) for group in range(1, regex.groups + 1)
                      if group not in named]  # fmt: skip
            files = tuple(folder / _with(name, places, each) for each in data.bands)
            return BandFiles(match["id"], files)
    return None


def _with(name: str, places: list[tuple[int, int]], band: str) -> str:
    for start, stop in reversed(places):
        name = name[:start] + band + name[stop:]
    return name
