"""Folders that are links to nowhere, files or read-only; terminals of another alphabet."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from pipeline import cli
from tests.helpers import disks
from tests.helpers.competitions import draw_discs, raw_experiment

REPOSITORY = Path(__file__).parents[1]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    draw_discs(tmp_path / "data", count=4, test=1)
    raw = raw_experiment(tmp_path / "data")
    (tmp_path / "discs.yaml").write_text(yaml.safe_dump(raw))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _fails(capsys: pytest.CaptureFixture[str], *words: str) -> None:
    assert cli.main(["check", "--config", "discs.yaml"]) == 1
    message = capsys.readouterr().err
    assert message.startswith("error: ") and message.count("\n") == 1, message
    for word in words:
        assert word in message


def test_a_run_that_is_a_link_to_nowhere(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "runs").mkdir()
    (folder / "runs" / "discs").symlink_to("/no/such/disk")
    _fails(capsys, "runs/discs is a link to /no/such/disk, which is not there")


def test_a_run_that_is_a_file(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "runs").touch()
    _fails(capsys, "runs", "a file where a folder should be")


def test_a_table_that_is_a_folder(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "runs/discs/index.csv").mkdir(parents=True)
    _fails(capsys, "runs/discs/index.csv", "a folder where a file should be")


def test_a_run_on_a_read_only_disk(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with disks.read_only(folder / "runs"):
        _fails(capsys, "runs", "cannot be written to")


def test_a_run_that_is_a_link_to_another_disk(folder: Path) -> None:
    (folder / "runs").mkdir()
    (folder / "big").mkdir()
    (folder / "runs" / "discs").symlink_to(folder / "big")
    assert cli.main(["check", "--config", "discs.yaml"]) == 0
    assert (folder / "big" / "index.csv").is_file()
    assert cli.main(["clean", "--config", "discs.yaml"]) == 0
    assert list((folder / "big").iterdir()) == [] and (folder / "runs/discs").is_symlink()


@pytest.mark.slow
def test_a_terminal_that_lacks_letters_ends_no_run(folder: Path) -> None:
    command = [sys.executable, "-m", "pipeline", "folds", "--config", "discs.yaml"]
    env = {**os.environ, "PYTHONPATH": str(REPOSITORY), "PYTHONIOENCODING": "ascii", "LC_ALL": "C"}
    done = subprocess.run(command, env=env, capture_output=True)
    assert done.returncode == 0, done.stderr
    assert b"folds: 2 folds" in done.stdout and b"Traceback" not in done.stderr
