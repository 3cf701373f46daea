"""The experiment that is meant when none is named: the demo's, of this folder or as installed."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, files
from pathlib import Path

DEMO = Path("configs/demo.yaml")


def default_experiment() -> Path:
    """`configs/demo.yaml` of the working directory; where it has none, the installed copy."""
    return DEMO if DEMO.is_file() else (_installed(DEMO.name) or DEMO)


def _installed(name: str) -> Path | None:
    try:
        recorded = files("maskmill") or ()
    except PackageNotFoundError:
        return None
    shipped = [each for each in recorded if each.parts[-3:] == ("maskmill", "configs", name)]
    return Path(str(shipped[0].locate())) if shipped else None
