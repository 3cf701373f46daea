"""kill -9 at any moment, run again: the same submission, byte for byte."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import yaml

from tests.helpers.competitions import draw_discs, raw_experiment

REPOSITORY = Path(__file__).parents[2]
MANY_KILLS = int(os.environ.get("MASKMILL_KILLS", "1000"))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("discs")
    draw_discs(folder)
    return folder


def _start(data: Path, folder: Path, jobs: int, stage: str = "submit") -> subprocess.Popen[bytes]:
    folder.mkdir(exist_ok=True)
    raw = raw_experiment(data, train={"epochs": 2, "size": [32, 32]})
    (folder / "discs.yaml").write_text(yaml.safe_dump(raw))
    command = [sys.executable, "-m", "pipeline", stage, "--config", "discs.yaml"]
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
    "runs/discs/b/fold1/last_ema.safetensors",
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


@pytest.mark.slow
@pytest.mark.parametrize("jobs", [1, 2])
def test_killed_at_random_moments_of_every_stage(data: Path, tmp_path: Path, jobs: int) -> None:
    _finish(_start(data, tmp_path / "whole", jobs))
    wheel = random.Random(jobs)
    for moment in [*MOMENTS, *MOMENTS]:
        _killed_at(data, tmp_path / "killed", moment, jobs, wheel.uniform(0, 0.5))
    _finish(_start(data, tmp_path / "killed", jobs))
    assert _submission(tmp_path / "killed") == _submission(tmp_path / "whole")


def _stores(folder: Path) -> dict[str, bytes]:
    """Every byte of every map store."""
    files = (folder / "runs" / "discs").glob("*/maps/*/*.*")
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in files
        if path.suffix in (".npy", ".csv", ".json")
    }


def _kill(process: subprocess.Popen[bytes], worker: bool) -> None:
    """SIGKILL to the stage, or to one of its workers where there is one."""
    try:
        workers = psutil.Process(process.pid).children(recursive=True)
        busy = [each for each in workers if "popen_loky" in " ".join(each.cmdline())]
        if worker and busy:
            busy[0].kill()
        elif not worker:
            process.kill()
    except psutil.NoSuchProcess:
        pass  # it was faster


@pytest.mark.slow
@pytest.mark.parametrize("kills", [4, 20])
def test_kills_of_workers_and_of_infer_leave_the_same_stores(
    data: Path, tmp_path: Path, kills: int
) -> None:
    """Half of them hit a worker, whose job is run again at once; half the whole of infer."""
    killed = tmp_path / "killed"
    _finish(_start(data, tmp_path / "whole", jobs=2))
    _finish(_start(data, killed, jobs=2, stage="train"))
    wheel = random.Random(kills)
    for kill in range(kills):
        shutil.rmtree(killed / f"runs/discs/{'ab'[kill % 2]}/maps", ignore_errors=True)
        process = _start(data, killed, jobs=2, stage="infer")
        while not list(killed.glob("runs/discs/.progress/*")) and process.poll() is None:
            time.sleep(0.005)
        time.sleep(wheel.uniform(0, 1.5))
        worker = kill % 4 < 2
        _kill(process, worker)
        if worker:
            _finish(process)
        else:
            process.communicate()
    _finish(_start(data, killed, jobs=2))
    assert _stores(killed) == _stores(tmp_path / "whole")
    assert _submission(killed) == _submission(tmp_path / "whole")


@pytest.mark.slow
@pytest.mark.parametrize("kills", [6, MANY_KILLS])
def test_kills_of_a_warm_process_leave_the_same_bytes(
    data: Path, tmp_path: Path, kills: int
) -> None:
    raw = raw_experiment(data, train={"epochs": 1, "size": [32, 32]})
    for name in ("whole", "killed"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "discs.yaml").write_text(yaml.safe_dump(raw))
    done = subprocess.run(
        [sys.executable, "-m", "tests.helpers.killing", str(kills), str(kills)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.strip() == str(kills)
    assert _stores(tmp_path / "killed") == _stores(tmp_path / "whole")
    assert _submission(tmp_path / "killed") == _submission(tmp_path / "whole")
    left = list((tmp_path / "killed").rglob(".*.tmp"))
    assert len(left) < 3, "temporary files of killed runs are swept"


@pytest.mark.slow
@pytest.mark.parametrize("turn", range(int(os.environ.get("MASKMILL_PAIRS", "20"))))
def test_two_makes_of_everything_at_a_random_offset(data: Path, tmp_path: Path, turn: int) -> None:
    """MASKMILL_PAIRS: how many pairs (default 20)."""
    first = _start(data, tmp_path / "both", jobs=1, stage="all")
    time.sleep(random.Random(turn).uniform(0, 15))
    second = _start(data, tmp_path / "both", jobs=1, stage="all")
    ends = [process.communicate(timeout=900)[1].decode() for process in (first, second)]
    for process, errors in zip((first, second), ends, strict=True):
        assert "Traceback" not in errors
        assert process.returncode == 0 or "is being written by process" in errors, errors
    assert 0 in (first.returncode, second.returncode), ends


@pytest.mark.slow
def test_two_at_once_share_the_work_or_one_names_the_other(data: Path, tmp_path: Path) -> None:
    _finish(_start(data, tmp_path / "whole", jobs=1))
    processes = [_start(data, tmp_path / "both", jobs=1) for _ in range(2)]
    ends = [process.communicate(timeout=600)[1].decode() for process in processes]
    codes = [process.returncode for process in processes]
    assert 0 in codes, ends
    for code, errors in zip(codes, ends, strict=True):
        assert code == 0 or (code == 1 and "is being written by process" in errors), errors
        assert "Traceback" not in errors
    assert _stores(tmp_path / "both") == _stores(tmp_path / "whole")
    assert _submission(tmp_path / "both") == _submission(tmp_path / "whole")


@pytest.mark.slow
def test_sigterm_saves_and_exits_with_143_and_the_next_run_goes_on(
    data: Path, tmp_path: Path
) -> None:
    process = _start(data, tmp_path / "work", jobs=1)
    while not (tmp_path / "work/runs/discs/a/fold0/state.bin").exists() and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 143, errors.decode()[-2000:]
    assert b"the same command continues" in errors and b"Traceback" not in errors
