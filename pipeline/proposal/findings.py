"""What was found for one key of an experiment, and how sure it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

Sureness = Literal["sure", "likely", "guess", "default"]


@dataclass(frozen=True)
class Alternative:
    """Another value that fits, and when."""

    value: Any
    when: str


@dataclass(frozen=True)
class Found:
    """A key's value."""

    key: str
    value: Any
    why: str
    sureness: Sureness = "sure"
    alternatives: tuple[Alternative, ...] = ()
    is_said: bool = True
    """False where the key itself is not written, and its alternatives stand alone."""
