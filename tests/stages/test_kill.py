"""kill -9 at any moment, run again: the same submission, byte for byte."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from tests.competitions import draw_discs, raw_experiment

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("discs")
    draw_discs(folder)
    return folder


def _start(data: Path, folder: Path, jobs: int) -> subprocess.Popen[bytes]:
    folder.mkdir(exist_ok=True)
    raw = raw_experiment(data, train={"epochs": 2, "size": [32, 32]})
    (folder / "discs.yaml").write_text(yaml.safe_dump(raw))
    command = [sys.executable, "-m", "pipeline", "submit", "--config", "discs.yaml"]
    return subprocess.Popen(
        [*command, "--jobs", str(jobs)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


def _finish(process: subprocess.Popen[bytes]) -> None:
    _, errors = process.communicate(timeout=600)
    assert process.returncode == 0, errors.decode()[-2000:]


def _submission(folder: Path) -> bytes:
    (path,) = (folder / "submissions" / "discs").glob("*.csv")
    return path.read_bytes()


MOMENTS = [  # a file whose appearance says that the stage is under way
    "runs/discs/.locks/check.lock",
    "runs/discs/a/fold0/state.bin",
    "runs/discs/b/fold1/best_ema.safetensors",
    "runs/discs/a/maps/oof/header.json",
    "runs/discs/b/maps/test/header.json",
    "runs/discs/.locks/ensemble.lock",
    "runs/discs/.locks/submit.lock",
]


def _killed_at(data: Path, folder: Path, moment: str, jobs: int, delay: float) -> None:
    process = _start(data, folder, jobs)
    while not (folder / moment).exists() and process.poll() is None:
        time.sleep(0.005)
    time.sleep(delay)
    process.send_signal(signal.SIGKILL)
    process.communicate()


def test_killed_in_every_stage_in_turn_the_submission_is_the_same(
    data: Path, tmp_path: Path
) -> None:
    _finish(_start(data, tmp_path / "whole", jobs=1))
    for moment in MOMENTS[1::2]:
        _killed_at(data, tmp_path / "killed", moment, jobs=1, delay=0.0)
    _finish(_start(data, tmp_path / "killed", jobs=1))
    assert _submission(tmp_path / "killed") == _submission(tmp_path / "whole")


@pytest.mark.slow
@pytest.mark.parametrize("jobs", [1, 2])
def test_killed_at_random_moments_of_every_stage(data: Path, tmp_path: Path, jobs: int) -> None:
    _finish(_start(data, tmp_path / "whole", jobs))
    wheel = random.Random(jobs)
    for moment in [*MOMENTS, *MOMENTS]:
        _killed_at(data, tmp_path / "killed", moment, jobs, wheel.uniform(0, 0.5))
    _finish(_start(data, tmp_path / "killed", jobs))
    assert _submission(tmp_path / "killed") == _submission(tmp_path / "whole")


def test_sigterm_saves_and_exits_with_143_and_the_next_run_goes_on(
    data: Path, tmp_path: Path
) -> None:
    process = _start(data, tmp_path / "work", jobs=1)
    while not (tmp_path / "work/runs/discs/a/fold0/state.bin").exists() and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 143, errors.decode()[-2000:]
    assert b"the same command goes on" in errors and b"Traceback" not in errors
