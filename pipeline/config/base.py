"""What every block of an experiment has in common."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from pydantic import BaseModel, ConfigDict


class Block(BaseModel):
    """A frozen part of an experiment that knows all its keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def nearest(name: str, valid: Iterable[str], count: int = 3) -> str:
    """`; did you mean …?` with the valid names closest to `name`, or all of a short list."""
    names = sorted(valid)
    close = difflib.get_close_matches(name, names, n=count, cutoff=0.5)
    if close:
        return f"; did you mean {' or '.join(close)}?"
    return f"; valid: {', '.join(names)}" if len(names) <= 20 else ""
