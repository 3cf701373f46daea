"""A GPU that fails one job: the job runs again in a new process, and the others never notice."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.gpu.faulty import MARKER
from tests.gpu.running import run, two_at_once, write_experiment
from tests.helpers.competitions import TINY

pytestmark = pytest.mark.gpu


def test_a_device_side_assert_costs_one_attempt_of_one_member(
    device: str, discs: Path, tmp_path: Path
) -> None:
    models = {
        "a": {"decoder": "linknet", "encoder": "tests.gpu.faulty:breaks_once", "weights": None},
        "b": {"decoder": "linknet", **TINY},
    }
    folder = tmp_path / "my work"
    write_experiment(discs, folder, models=models, train={"epochs": 1}, folds={"use": [0]})
    marker = tmp_path / "broken"
    slots = two_at_once(device) if device == "cpu" else ["--devices", device]
    text = run(folder, "train", *slots, **{MARKER: str(marker)})
    assert marker.exists()
    assert "a worker died during a/fold0; run again" in text
    assert "2 member(s) trained (a/fold0, b/fold0)" in text
