"""Where the tests find the real data sets, when this checkout has them beside it."""

from __future__ import annotations

from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
SHARED_DATA = REPOSITORY.parent / "shared" / "data"


def shared_data(name: str) -> Path:
    """The folder of one real data set; skips the calling test where it is not at hand."""
    folder = SHARED_DATA / name
    if not folder.is_dir():
        pytest.skip(f"real data set {name} is not beside this checkout (../shared/data/{name})")
    return folder
