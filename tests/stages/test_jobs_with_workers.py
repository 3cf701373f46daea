"""Two jobs with two loader processes each: stopped, killed, gone on with."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
import yaml

from pipeline.reporting import running_jobs
from pipeline.workspace import Workspace
from tests.helpers.competitions import TINY, draw_discs, raw_experiment
from tests.helpers.training_jobs import member_bytes
from tests.helpers.waiting import wait_until

REPOSITORY = Path(__file__).parents[2]
STEPS = 40  # an epoch, so that neither job is through before the other has begun


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("discs")
    draw_discs(folder)
    return folder


def _start(data: Path, folder: Path, decoder: str, steps: int = STEPS) -> subprocess.Popen[str]:
    folder.mkdir(exist_ok=True)
    raw = raw_experiment(
        data,
        models={"a": {"decoder": decoder, **TINY}},
        train={"size": [64, 64], "epochs": 2, "steps": steps, "batch": 4, "workers": 2},
    )
    (folder / "discs.yaml").write_text(yaml.safe_dump(raw))
    return subprocess.Popen(
        [sys.executable, "-m", "pipeline", "train", "--config", "discs.yaml", "--jobs", "2"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY), "COLUMNS": "200"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def _in_mid_epoch(process: subprocess.Popen[str], folder: Path) -> Callable[[], bool]:
    progress = Workspace("discs", folder).progress

    def reached() -> bool:
        assert process.poll() is None, process.communicate()[1]
        states = running_jobs(progress)
        return len(states) == 2 and all(state.done >= 2 for state in states)

    return reached


def _left(session: int) -> list[int]:
    """The processes of a session that still live."""

    def lives(process: psutil.Process) -> bool:
        try:
            own = os.getsid(process.pid) == session
            return own and process.status() != psutil.STATUS_ZOMBIE
        except (ProcessLookupError, psutil.NoSuchProcess):
            return False

    return [process.pid for process in psutil.process_iter() if lives(process)]


def _members(folder: Path) -> dict[str, dict[str, str]]:
    return {path.name: member_bytes(path) for path in (folder / "runs/discs/a").glob("fold*")}


def test_two_jobs_train_with_loader_processes_of_their_own(data: Path, tmp_path: Path) -> None:
    process = _start(data, tmp_path, "fpn", steps=4)
    errors = process.communicate()[1]
    assert process.returncode == 0, errors
    assert len(_members(tmp_path)) == 2
    wait_until(lambda: not _left(process.pid), 20)


@pytest.mark.slow
@pytest.mark.parametrize("decoder", ["linknet", "unet", "fpn", "pspnet", "deeplabv3plus"])
def test_a_signal_to_everybody_in_mid_epoch_changes_no_byte(
    data: Path, tmp_path: Path, decoder: str
) -> None:
    """To the whole group, as a terminal or a batch system sends it, loader processes included."""
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    process = _start(data, whole, decoder)
    errors = process.communicate()[1]
    assert process.returncode == 0, errors
    process = _start(data, broken, decoder)
    wait_until(_in_mid_epoch(process, broken), 600)
    os.killpg(process.pid, signal.SIGTERM)
    errors = process.communicate()[1]
    assert process.returncode == 143, errors
    assert errors.strip().endswith("the same command continues from there"), errors
    assert list(broken.glob("runs/discs/a/fold*/state.bin"))
    wait_until(lambda: not _left(process.pid), 600)
    process = _start(data, broken, decoder)
    errors = process.communicate()[1]
    assert process.returncode == 0, errors
    assert len(_members(whole)) == 2
    assert _members(broken) == _members(whole)


@pytest.mark.parametrize(
    "end",
    [
        pytest.param([signal.SIGKILL], marks=pytest.mark.slow),
        pytest.param([signal.SIGTERM, signal.SIGTERM], marks=pytest.mark.slow),
    ],
    ids=["killed", "told twice"],
)
def test_no_process_outlives_a_train_that_ends_at_once(
    data: Path, tmp_path: Path, end: list[signal.Signals]
) -> None:
    process = _start(data, tmp_path, "linknet", steps=1000)
    wait_until(_in_mid_epoch(process, tmp_path), 600)
    assert len(_left(process.pid)) >= 1 + 2 + 2 * 2
    for number in end:
        process.send_signal(number)
        time.sleep(0.01)
    process.communicate()
    assert process.returncode in (-9, 143)
    wait_until(lambda: not _left(process.pid), 20)
