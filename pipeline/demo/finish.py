"""Demos appear whole: drawn into a hidden sibling folder, then renamed into place."""

from __future__ import annotations

import csv
import glob
import json
import os
import shutil
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import psutil

from pipeline.errors import DataError
from pipeline.host import host_name

PARAMETERS = "demo.json"
PRIVATE = "private"


def finish(folder: Path, parameters: dict[str, Any], draw: Callable[[Path], None]) -> None:
    """Make `folder` hold the demo that `draw` makes of `parameters`; do nothing if it does.

    draw: fills the empty folder it is given. parameters: JSON values; kept in `demo.json`.
    Raises DataError when `folder` holds anything else than this very demo.
    """
    folder = folder.absolute()
    if _is_finished(folder, parameters):
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    _sweep(folder)
    unfinished = _unfinished(folder)
    unfinished.mkdir()
    try:
        draw(unfinished)
        (unfinished / PARAMETERS).write_text(json.dumps(parameters, indent=2) + "\n")
        _move(unfinished, folder, parameters)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def write_table(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a CSV with `\\n` line ends, so that its bytes are the same on every system."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


def _is_finished(folder: Path, parameters: dict[str, Any]) -> bool:
    """True when this demo is there, False when nothing is; DataError for everything else."""
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return False
    found = _read_parameters(folder / PARAMETERS)
    if found == parameters:
        return True
    if found is None:
        raise DataError(f"{folder}: holds something that is not a demo; name another folder")
    differing = sorted(k for k in found | parameters if found.get(k) != parameters.get(k))
    details = ", ".join(f"{k}: {found.get(k)} there, {parameters.get(k)} asked" for k in differing)
    raise DataError(f"{folder}: holds another demo ({details}); delete it to draw again")


def _read_parameters(path: Path) -> dict[str, Any] | None:
    """The content of `demo.json`; None if it is missing or cannot be read."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def _unfinished(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}.drawing-{host_name()}-{os.getpid()}")


def _sweep(folder: Path) -> None:
    """Remove what processes of this machine that were killed while drawing left beside `folder`."""
    prefix = f".{folder.name}.drawing-{host_name()}-"
    for left in folder.parent.glob(f"{glob.escape(prefix)}*"):
        process = left.name.rpartition("-")[2]
        alive = process.isdigit() and psutil.pid_exists(int(process))
        if not alive or int(process) == os.getpid():
            shutil.rmtree(left, ignore_errors=True)


def _move(unfinished: Path, folder: Path, parameters: dict[str, Any]) -> None:
    """Rename into place; another process that was first with the same demo is no error."""
    try:
        unfinished.rename(folder)
    except OSError:
        if not _is_finished(folder, parameters):
            raise
