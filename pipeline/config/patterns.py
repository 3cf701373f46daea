"""What a pattern of an experiment may look like; ValueError says what is wrong with one."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path


def file_pattern(pattern: str, known: tuple[str, ...]) -> str:
    """`pattern` if it can be looked for below `data.root`; ValueError says why not."""
    strange = [each for each in re.findall(r"\{[^/}]*\}", pattern) if each not in known]
    if strange:
        raise ValueError(f"{strange[0]} stands for nothing; known: {', '.join(known)}, *")
    if Path(pattern).is_absolute():
        raise ValueError("give it relative to data.root")
    if "**" in pattern:
        raise ValueError("`**` is not known; `*` stands for anything within a name")
    return with_placeholder(pattern, "{id}")


def with_placeholder(pattern: str, placeholder: str) -> str:
    if placeholder not in pattern:
        raise ValueError(f"needs {placeholder} in it, the part that names a sample")
    return pattern


def breaks_lines(text: str) -> bool:
    """Whether a text holds what tables lose: line breaks, control characters, halves of pairs."""
    return any(unicodedata.category(each) in ("Cc", "Cs", "Zl", "Zp") for each in text)


def compiled(pattern: str) -> re.Pattern[str]:
    try:
        return re.compile(pattern)
    except re.error as error:
        raise ValueError(f"not a regular expression: {error}") from error
