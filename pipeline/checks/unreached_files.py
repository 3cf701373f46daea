"""Images in folders that no pattern reaches: deeper or higher ones, and those of another case."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import takewhile
from pathlib import Path

_SAME = {".jpeg": ".jpg", ".tiff": ".tif"}


def spelled(ending: str) -> str:
    """The usual spelling of a file's ending: `.JPEG` is `.jpg`."""
    lowered = ending.lower()
    return _SAME.get(lowered, lowered)


def is_like(path: Path, pattern: str) -> bool:
    """True if a file has the ending of a pattern, in any spelling."""
    ending = spelled(Path(pattern).suffix)
    return bool(ending and not re.search(r"[{}*]", ending)) and spelled(path.suffix) == ending


def unreached(root: Path, pattern: str) -> set[Path]:
    """Files with the ending of `pattern` that lie below its folder, as deep as it matches none, or
    in a folder whose name differs from that one in case or Unicode form alone.
    """
    parts = Path(pattern).parts
    fixed = list(takewhile(lambda part: not re.search(r"[{*]", part), parts[:-1]))
    within = root.joinpath(*fixed)
    deeper = {path for path in _files_like(within, pattern) if _depth(path, root) != len(parts)}
    return deeper.union(*(_files_like(each, pattern) for each in _alike(root, fixed, within)))


def _depth(path: Path, root: Path) -> int:
    return len(path.relative_to(root).parts)


def _files_like(folder: Path, pattern: str) -> set[Path]:
    """Files at any depth, but not in hidden folders, such as those of notebooks."""
    return {
        path
        for path in folder.rglob("*")
        if is_like(path, pattern)
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    }


def _alike(root: Path, fixed: Sequence[str], within: Path) -> Iterator[Path]:
    """Other folders than `within` whose path below `root` reads as `fixed` does."""
    folders = [root]
    for name in fixed:
        folders = [each for folder in folders for each in _named_alike(folder, name)]
    for folder in folders:
        if not (within.exists() and folder.samefile(within)):  # where case does not count
            yield folder


def _named_alike(folder: Path, name: str) -> list[Path]:
    with suppress(OSError):
        return [
            each
            for each in sorted(folder.iterdir())
            if _plain(each.name) == _plain(name) and each.is_dir()
        ]
    return []


def _plain(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()
