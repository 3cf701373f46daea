"""Imports point one way: a domain package never imports a stage."""

from __future__ import annotations

import re
from pathlib import Path

import pipeline

FOLDER = Path(pipeline.__file__).parent
STAGE = re.compile(r"^\s*(?:from|import) pipeline\.stages(?!_)\b", re.MULTILINE)


def test_no_package_below_stages_imports_one() -> None:
    above = {"stages"}
    packages = [each for each in FOLDER.iterdir() if each.is_dir() and each.name not in above]
    guilty = [
        str(file.relative_to(FOLDER))
        for package in packages
        for file in sorted(package.rglob("*.py"))
        if STAGE.search(file.read_text())
    ]
    assert not guilty
