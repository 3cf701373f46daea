"""The bytes of a run's files, to compare runs by."""

from __future__ import annotations

from pathlib import Path


def contents(workspace: Path, pattern: str) -> dict[str, bytes]:
    """Path below the run of `discs` → content of the files that a pattern takes, but for locks."""
    run = workspace / "runs/discs"
    paths = (path for path in run.glob(pattern) if path.is_file() and path.suffix != ".lock")
    return {str(path.relative_to(run)): path.read_bytes() for path in paths}
