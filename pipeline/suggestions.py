"""Names that a user may write, and the nearest ones when he mistypes."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import SequenceMatcher

from pipeline.errors import ConfigError


def nearest_names(name: str, known: Iterable[str], count: int = 3) -> list[str]:
    """The `count` known names most like `name`, the most alike first."""
    return sorted(known, key=lambda other: (-_likeness(name, other), other))[:count]


def check_name(kind: str, name: str, known: Iterable[str]) -> None:
    """Raise ConfigError with the nearest names when `name` is not a known `kind`."""
    known = list(known)
    if name not in known:
        nearest = ", ".join(nearest_names(name, known))
        raise ConfigError(f"unknown {kind} {name!r}; the nearest names are {nearest}")


def _likeness(name: str, other: str) -> float:
    return SequenceMatcher(None, name.lower(), other.lower(), autojunk=False).ratio()
