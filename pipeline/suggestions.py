"""How messages show what a user wrote: shortened, with the nearest valid names ("did you mean")."""

from __future__ import annotations

import reprlib
from collections.abc import Iterable
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any

from pipeline.errors import ConfigError

ALIKE = 0.55
"""Names below this likeness (0..1) are no typing mistake of each other."""
_SHORT_LIST = 20


def nearest_names(name: str, known: Iterable[str], count: int = 3) -> list[str]:
    """The `count` known names most like `name`, the most alike first."""
    return sorted(known, key=lambda other: (-_likeness(name, other), other))[:count]


def did_you_mean(name: str, valid: Iterable[str]) -> str:
    """`; did you mean …?` with the valid names closest to `name`, or all of a short list."""
    names = sorted(valid)
    close = [other for other in nearest_names(name, names) if _likeness(name, other) >= ALIKE]
    if close:
        shown = [repr(each) if " " in each else each for each in close]
        return f"; did you mean {' or '.join(shown)}?"
    return f"; valid: {', '.join(names)}" if 0 < len(names) <= _SHORT_LIST else ""


def check_name(kind: str, name: str, known: Iterable[str]) -> None:
    """Raise ConfigError with the nearest names when `name` is not a known `kind`."""
    known = list(known)
    if name not in known:
        nearest = ", ".join(nearest_names(name, known))
        raise ConfigError(f"unknown {kind} {name!r}; the nearest names are {nearest}")


def shortened(value: Any) -> str:
    """`value` as it may stand in a message."""
    short = reprlib.Repr()
    short.maxlevel, short.maxstring, short.maxother, short.maxlong = 1, 60, 60, 40
    return short.repr(str(value) if isinstance(value, Path) else value)


def _likeness(name: str, other: str) -> float:
    return SequenceMatcher(None, name.lower(), other.lower(), autojunk=False).ratio()
