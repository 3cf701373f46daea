"""Tells folders of zarr from others, without the package."""

from __future__ import annotations

from pathlib import Path

MARKS = ("zarr.json", ".zarray", ".zgroup")
"""Files of which every folder of zarr has one."""


def is_zarr_folder(path: Path) -> bool:
    """True for an array, or a group of them, in a folder."""
    return path.is_dir() and any((path / mark).is_file() for mark in MARKS)
