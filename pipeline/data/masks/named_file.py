"""The file of a sample, by a pattern."""

from __future__ import annotations

from glob import escape
from pathlib import Path


def named_file(root: Path, pattern: str, sample_id: str) -> Path:
    """The file that the pattern gives for an id; of several (`*`) the first that is there."""
    path = root / pattern.replace("{id}", sample_id)
    if "*" not in pattern:
        return path
    pieces = [escape(piece.replace("{id}", sample_id)) for piece in pattern.split("*")]
    return min(
        (each for each in root.glob("*".join(pieces)) if not each.name.startswith(".")),
        default=path,
    )
