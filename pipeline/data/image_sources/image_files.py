"""The files of an image that has several: one a band, or those of a list of patterns."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path
from typing import NamedTuple

from pipeline.config import DataConfig
from pipeline.data.name_patterns import as_glob, as_regex, fixed_letters
from pipeline.errors import DataError

_PLACEHOLDER = re.escape("{band}")
_WILD = re.compile(r"[{*]")
Patterns = tuple[str, ...]
"""Those of one image: a single one with {band}, or a list."""


class ImageFiles(NamedTuple):
    """An image of which some file was named."""

    id: str
    files: tuple[Path, ...]
    """Of each band of `data.bands`, or of each pattern in the list, whether it is there or not."""


def files_of(data: DataConfig, path: Path) -> tuple[Path, ...]:
    """The files of an image; `path`: of one of them. A single file where bands share it."""
    if not has_several_files(data):
        return (path,)
    found = image_of(data, path)
    if found is None:
        raise DataError(
            f"{path} is not called as {called(data)}, so the other files of its image are not "
            "known; name it so"
        )
    return found.files


def has_several_files(data: DataConfig) -> bool:
    """True if an image has a file for each band, or for each pattern of a list."""
    return not isinstance(data.images, str) or "{band}" in data.images


def image_of(data: DataConfig, path: Path) -> ImageFiles | None:
    """The image that a file belongs to: below `data.root` where patterns look; elsewhere by the
    last names of its path, as far as patterns leave them open. None for other files.
    """
    whole = path.absolute()
    try:
        below = whole.relative_to(data.root.absolute()).as_posix()
    except ValueError:
        below = ""
    for patterns in _images(data) if below else ():
        if found := _by_name(data, patterns, below, data.root):
            return found
    for ends in _ends(data):
        for depth in {len(Path(each).parts): None for each in ends}:
            given = path if len(path.parts) >= depth else whole
            if len(whole.parts) > depth and (
                found := _by_name(
                    data, ends, Path(*whole.parts[-depth:]).as_posix(), given.parents[depth - 1]
                )
            ):
                return found
    return None


def called(data: DataConfig) -> str:
    """How files of images are called, in words."""
    ends = list(dict.fromkeys(each for ends in _ends(data) for each in ends))
    names = " or ".join(ends)
    if not isinstance(data.images, str):
        return f"one of {names}"
    return f"that of a band, {names} with {' or '.join(data.bands or ())} for {{band}}"


def file_names(data: DataConfig) -> tuple[str, ...]:
    """What each file of an image is, in words."""
    if isinstance(data.images, str):
        return tuple(f"the band {band}" for band in data.bands or ())
    return data.images


def below_folder(data: DataConfig, folder: Path) -> list[Path]:
    """The files of images in a folder and in those within it, as deep as patterns reach."""
    every = [Path(each).parts for ends in _ends(data) for each in ends]
    globs = {"/".join(parts[start:]) for parts in every for start in range(len(parts))}
    named = {path for each in globs for path in folder.glob(as_glob(each.replace("{band}", "*")))}
    return sorted(path for path in named if not path.name.startswith("."))


def ends_of_first_files(data: DataConfig) -> list[str]:
    """The ends of the patterns of the files that stand for images."""
    patterns = [each for each in (data.images, data.test) if each is not None]
    ends = [_end((each,) if isinstance(each, str) else each)[0] for each in patterns]
    return list(dict.fromkeys(map(data.of_first_file, ends)))


def _images(data: DataConfig) -> Iterator[Patterns]:
    for pattern in (data.images, data.test, data.reference, data.test_reference):
        if isinstance(pattern, tuple):
            yield pattern
        elif pattern is not None and "{band}" in pattern:
            yield (pattern,)


def _ends(data: DataConfig) -> list[Patterns]:
    """The ends of the patterns of images, from the first name on that is open, or that they do not
    share.
    """
    return list(dict.fromkeys(map(_end, _images(data))))


def _end(patterns: Patterns) -> Patterns:
    levels = zip(*map(_fixed_folders, patterns), strict=False)
    shared = len(list(takewhile(lambda names: len(set(names)) == 1, levels)))
    return tuple("/".join(Path(each).parts[shared:]) for each in patterns)


def _fixed_folders(pattern: str) -> list[str]:
    parts = Path(pattern).parts
    return list(parts[: next(place for place, part in enumerate(parts) if _WILD.search(part))])


def _by_name(data: DataConfig, patterns: Patterns, name: str, folder: Path) -> ImageFiles | None:
    """name: of a file below `folder`."""
    if len(patterns) == 1:
        return _of_band(data, patterns[0], name, folder)
    for pattern in sorted(patterns, key=fixed_letters, reverse=True):
        if match := re.fullmatch(as_regex(pattern), name):
            files = tuple(folder / each.replace("{id}", match["id"]) for each in patterns)
            return ImageFiles(match["id"], files)
    return None


def _of_band(data: DataConfig, pattern: str, name: str, folder: Path) -> ImageFiles | None:
    """Where a name fits several bands, it is of the longest one."""
    assert data.bands is not None
    for band in sorted(data.bands, key=len, reverse=True):
        regex = re.compile(as_regex(pattern).replace(_PLACEHOLDER, f"({re.escape(band)})"))
        match = regex.fullmatch(name)
        if match is not None:
            named = set(regex.groupindex.values())
            places = [match.span(group) for group in range(1, regex.groups + 1)
                      if group not in named]  # fmt: skip
            files = tuple(folder / _with(name, places, each) for each in data.bands)
            return ImageFiles(match["id"], files)
    return None


def _with(name: str, places: list[tuple[int, int]], band: str) -> str:
    for start, stop in reversed(places):
        name = name[:start] + band + name[stop:]
    return name
