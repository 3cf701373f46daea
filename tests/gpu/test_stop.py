"""SIGTERM in the middle of an epoch on a GPU; the next run goes on, there or on a CPU."""

from __future__ import annotations

import shutil
import signal
import subprocess
import time
from pathlib import Path

import pandas as pd
import pytest

from pipeline.reporting import running_jobs
from tests.gpu.running import run, said, start, write_experiment

pytestmark = pytest.mark.gpu
MEMBER = ["--model", "a", "--fold", "0"]
EPOCHS = 3


@pytest.fixture(scope="module")
def stopped(device: str, discs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace whose one member, with two loader workers, was stopped in its second epoch."""
    folder = tmp_path_factory.mktemp("stopped") / "my work"
    steps, precision = (30, "fp32") if device == "cpu" else (150, "fp16")
    write_experiment(
        discs, folder, train={"epochs": EPOCHS, "steps": steps, "precision": precision, "ema": 0.9}
    )
    process = start(folder, "train", *MEMBER, "--devices", device)
    _await_step(process, folder, steps + 5)
    process.send_signal(signal.SIGTERM)
    assert "the same command continues from there" in said(process, code=143)
    assert (folder / "runs/discs/a/fold0/state.bin").exists()
    assert len(_history(folder)) == 1
    return folder


def _await_step(process: subprocess.Popen[bytes], folder: Path, step: int) -> None:
    while not any(job.done >= step for job in running_jobs(folder / "runs/discs/.progress")):
        assert process.poll() is None, said(process)
        time.sleep(0.02)


def _history(folder: Path) -> pd.DataFrame:
    return pd.read_csv(folder / "runs/discs/a/fold0/history.csv")


@pytest.mark.parametrize("where", ["there", "without a GPU"])
def test_the_next_run_goes_on(stopped: Path, tmp_path: Path, device: str, where: str) -> None:
    """State names the device that it was saved on, which the next machine may not have."""
    folder = tmp_path / "copy"
    shutil.copytree(stopped, folder)
    if where == "there":
        run(folder, "train", *MEMBER, "--devices", device)
    else:
        run(folder, "train", *MEMBER, "--jobs", "1", CUDA_VISIBLE_DEVICES="")
    before, after = _history(stopped), _history(folder)
    assert after["epoch"].tolist() == list(range(1, EPOCHS + 1))
    pd.testing.assert_frame_equal(after[:1], before)
    assert after["loss"].iloc[-1] < after["loss"].iloc[0]
    assert not (folder / "runs/discs/a/fold0/state.bin").exists()
