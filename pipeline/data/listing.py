"""Lists of ids in messages: the first few, and those in quotes that could be misread."""

from __future__ import annotations

import re
from collections.abc import Sequence


def listed(ids: Sequence[str], most: int = 5) -> str:
    """The first few ids and how many more there are; ids that could be misread stand in quotes."""
    return enumerated(list(map(quoted, ids)), most)


def enumerated(texts: Sequence[str], most: int = 5) -> str:
    """The first few texts and how many more there are."""
    shown = ", ".join(texts[:most]) or "none"
    return shown if len(texts) <= most else f"{shown} and {len(texts) - most} more"


def quoted(name: str) -> str:
    """A name as it is, or in quotes with escapes where blanks, commas or odd bytes mislead."""
    plain = name.isprintable() and not re.search(r"[\s,'\"]", name) and name
    return name if plain else repr(name)
