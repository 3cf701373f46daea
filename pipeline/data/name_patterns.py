"""The patterns of files in an experiment: which names they match, and what `{id}` stands for."""

from __future__ import annotations

import re
from glob import escape
from pathlib import Path

LEFT_BY_SYSTEMS = {"thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r"}
"""Names, in lower case, of files that systems leave in folders of images."""


def matching(root: Path, pattern: str) -> dict[Path, str]:
    """Entries of `root` that match a pattern, files or not → id."""
    wanted = re.compile(as_regex(pattern))
    return {
        path: match["id"]
        for path in sorted(root.glob(as_glob(pattern)))
        if (match := wanted.fullmatch(path.relative_to(root).as_posix()))
        and not path.name.startswith(".")
        and path.name.lower() not in LEFT_BY_SYSTEMS
    }


def folders_of(root: Path, pattern: str) -> list[Path]:
    """The folders that a pattern looks for files in."""
    parent = Path(pattern).parent.as_posix()
    if parent == ".":
        return [root]
    wanted = re.compile(as_regex(parent))
    return [
        path
        for path in sorted(root.glob(as_glob(parent)))
        if path.is_dir() and wanted.fullmatch(path.relative_to(root).as_posix())
    ]


def as_glob(pattern: str) -> str:
    """A pattern for `glob`, which matches at least what `as_regex` does."""
    pieces = re.split(r"\{id\}|\{class\}|\*", pattern)
    return re.sub(r"\*+", "*", "*".join(map(escape, pieces)))


def as_regex(pattern: str) -> str:
    """The pattern as a regex; a second `{id}` must repeat what the first one matched."""
    pieces, seen = [], set()
    for piece in re.split(r"(\{id\}|\{class\}|\*)", Path(pattern).as_posix()):
        if piece == "*":
            pieces.append("[^/]*")
        elif piece in ("{id}", "{class}"):
            name = piece[1:-1]
            pieces.append(f"(?P={name})" if name in seen else f"(?P<{name}>[^/]+)")
            seen.add(name)
        else:
            pieces.append(re.escape(piece))
    return "".join(pieces)


def fixed_letters(pattern: str) -> int:
    """How closely a pattern says what a file is called."""
    return len(re.sub(r"\{\w+\}|\*", "", pattern))
