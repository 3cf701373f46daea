"""The three lines of NumPy in the documentation open a store."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.helpers.small_stores import IDS, create, fill

PAGE = Path(__file__).parents[2] / "docs" / "storage.md"


def test_the_lines_of_the_page_give_the_map(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = [each for each in IDS if each.isprintable()]  # pandas refuses names that are not UTF-8
    store = create(tmp_path, ids)
    fill(store, ids)
    monkeypatch.chdir(tmp_path)
    lines = [line for line in PAGE.read_text().splitlines() if line.startswith("    ")]
    start = next(i for i, line in enumerate(lines) if 'read_csv("index.csv"' in line)
    code = textwrap.dedent("\n".join(lines[start : start + 3]))
    for each in ("a", "001", "NA", "é/ü"):
        found: dict[str, Any] = {"np": np, "pd": pd}
        exec(code.replace("some id", each), found)
        np.testing.assert_allclose(found["probabilities"], store.read(each), atol=1e-7)
