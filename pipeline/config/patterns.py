"""Checks the patterns of an experiment; ValueError says what is wrong."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field

_LONGEST_NAME = 255  # bytes: what file systems take
_MOST_WILD = 4
"""Wild parts (`*`, `{id}`) of one name: the ways to match a name grow with their power."""


def path_in_bounds(path: Path) -> Path:
    """`path` if it is a valid file name; ValueError if not."""
    longest = max((len(part.encode()) for part in path.parts), default=0)
    if longest > _LONGEST_NAME:
        raise ValueError(
            f"a name of {longest} bytes is too long for a file (at most {_LONGEST_NAME})"
        )
    return path


FilePath = Annotated[Path, AfterValidator(path_in_bounds)]
ImagePattern = str | Annotated[tuple[str, ...], Field(min_length=2, max_length=256)]
"""A pattern of files; or a pattern for each of the files that an image consists of."""


def file_pattern(pattern: str, known: tuple[str, ...]) -> str:
    """`pattern` if it is valid below `data.root`; ValueError says why not."""
    strange = [each for each in re.findall(r"\{[^/}]*\}", pattern) if each not in known]
    if strange:
        raise ValueError(f"unknown placeholder {strange[0]}; known: {', '.join(known)}, *")
    if Path(pattern).is_absolute():
        raise ValueError("must be relative to data.root")
    if "**" in pattern:
        raise ValueError("`**` is not supported; `*` matches anything within one name")
    for name in path_in_bounds(Path(pattern)).parts:
        if len(re.findall(r"\*|\{id\}|\{class\}|\{band\}", name)) > _MOST_WILD:
            raise ValueError(f"more than {_MOST_WILD} of {', '.join(known)}, * in {name!r}")
    return with_placeholder(pattern, "{id}")


def image_pattern(pattern: ImagePattern) -> ImagePattern:
    """`pattern` if it finds images below `data.root`; ValueError says why not."""
    if isinstance(pattern, str):
        return file_pattern(pattern, ("{id}", "{band}"))
    for each in pattern:
        file_pattern(each, ("{id}",))
        if "*" in each:
            raise ValueError(f"{each!r}: no * in a list, since {{id}} must tell all its files")
    if len(set(pattern)) != len(pattern):
        raise ValueError("a pattern stands twice in the list")
    return pattern


def with_placeholder(pattern: str, placeholder: str) -> str:
    if placeholder not in pattern:
        raise ValueError(f"must contain {placeholder}, the part that names a sample")
    return pattern


def breaks_lines(text: str) -> bool:
    """True if a text holds what tables lose: line breaks, control characters, halves of pairs."""
    return any(unicodedata.category(each) in ("Cc", "Cs", "Zl", "Zp") for each in text)


def compiled(pattern: str) -> re.Pattern[str]:
    try:
        return re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:  # a{99999999999}, ((((…
        raise ValueError(f"not a regular expression: {error}") from error
