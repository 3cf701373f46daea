"""What the tests of both demos ask of a folder."""

from __future__ import annotations

import csv
import hashlib
from pathlib import Path


def digests(folder: Path) -> dict[str, str]:
    """The content of every file below a folder, by its path."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
    }


def rows(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV, everything as text."""
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def stems(folder: Path) -> set[str]:
    """The names of a folder's files without their endings."""
    return {path.stem for path in folder.iterdir()}
