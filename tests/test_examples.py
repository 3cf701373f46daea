"""The notebook runs from its first cell to its last, in an empty folder."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]
NOTEBOOK = REPOSITORY / "examples/own_data.ipynb"
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
AFTER = """
assert mask.shape == (1, 64, 96) and mask.dtype == bool and 0.02 < mask.mean() < 0.4
assert card["model"].tolist() == ["linknet", "ensemble"] and float(card["nested"].iloc[-1]) > 0.8
"""


def _cells() -> list[str]:
    cells = json.loads(NOTEBOOK.read_text())["cells"]
    return ["".join(each["source"]) for each in cells if each["cell_type"] == "code"]


@pytest.mark.slow
def test_the_cells_of_the_notebook_run_and_learn(tmp_path: Path) -> None:
    script = tmp_path / "cells.py"
    script.write_text("\n\n".join([*_cells(), AFTER]))
    done = subprocess.run(
        [sys.executable, str(script)],
        cwd=tmp_path, env=ENVIRONMENT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_the_notebook_runs_in_a_kernel(tmp_path: Path) -> None:
    pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    code = (
        "import nbformat, nbclient; "
        f"notebook = nbformat.read({str(NOTEBOOK)!r}, 4); "
        "nbclient.NotebookClient(notebook, timeout=600).execute()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path, env=ENVIRONMENT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_the_notebook_is_committed_without_outputs() -> None:
    cells = json.loads(NOTEBOOK.read_text())["cells"]
    for cell in cells:
        assert not cell.get("outputs") and cell.get("execution_count") is None
    for source in _cells():
        compile(source, str(NOTEBOOK), "exec")
