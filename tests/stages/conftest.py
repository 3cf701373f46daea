"""What the tests of stages share."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest


@pytest.fixture
def copied(finished: tuple[Path, Path], tmp_path: Path) -> tuple[Path, Path]:
    """The module's data, and a copy of its finished workspace that a test may spoil."""
    root, workspace = finished
    shutil.copytree(workspace, tmp_path, dirs_exist_ok=True)
    return root, tmp_path
