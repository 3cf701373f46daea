"""Stores the inputs of each map, so that only stale maps are predicted again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from pipeline.atomic_files import write_atomic

SOURCES = "sources.json"


def read_sources(folder: Path) -> dict[str, str]:
    """Id → fingerprint of the weights and the image that its map was made from.

    Empty where there is no such file, or none that can be read: then every map counts as stale.
    """
    try:
        return TypeAdapter(dict[str, str]).validate_json((folder / SOURCES).read_bytes())
    except (FileNotFoundError, ValidationError):
        return {}


def write_sources(folder: Path, sources: Mapping[str, str]) -> None:
    """Write the inputs of the maps; call it after maps with other inputs were reset."""
    write_atomic(folder / SOURCES, json.dumps(sources, indent=0, ensure_ascii=False) + "\n")
