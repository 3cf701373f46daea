"""What a window and a log file show: tables that fit, and a line for each epoch."""

from __future__ import annotations

import re
import threading
from pathlib import Path

import pytest

from pipeline.console import ConsoleReporter
from pipeline.reporting import JobProgress

COLUMNS = ["model", "encoder", "decoder", *(f"fold {number}" for number in range(10)), "nested"]
ROWS = [[f"model{row}", "tf_efficientnet_lite0", "linknet", *["0.12345"] * 11] for row in "ab"]


@pytest.fixture
def window(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")  # rich then takes the stream for a terminal
    monkeypatch.setenv("TERM", "xterm")


@pytest.mark.usefixtures("window")
@pytest.mark.parametrize("width", [40, 60, 80, 120, 200])
def test_a_table_fits_its_window_and_loses_no_cell(
    width: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    ConsoleReporter().table("scorecard", COLUMNS, ROWS)
    lines = _plain(capsys.readouterr().out).splitlines()
    assert max(map(len, lines)) <= width
    for name in COLUMNS[1:]:
        assert sum(name in line for line in lines) == 1, name
    assert "\n".join(lines).count("0.12345") == 22


@pytest.mark.usefixtures("window")
def test_a_cell_that_is_wider_than_the_window_is_folded(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    ConsoleReporter().table("t", ["model", "threshold"], [["a", "x" * 100]])
    lines = _plain(capsys.readouterr().out).splitlines()
    assert max(map(len, lines)) <= 40 and "".join(lines).count("x") == 100


def test_in_a_file_a_row_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    ConsoleReporter().table("scorecard", COLUMNS, ROWS)
    lines = capsys.readouterr().out.splitlines()
    (row,) = [line for line in lines if line.strip().startswith("modela")]
    assert row.split() == ROWS[0]


def test_without_a_terminal_every_milestone_is_a_line(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def work() -> None:
        with JobProgress(tmp_path / "run", "a/fold0") as progress:
            for epoch in range(50):
                progress.milestone(f"epoch {epoch}, loss 0.5 [x]")

    with ConsoleReporter().watch("train", tmp_path, 1):
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    lines = capsys.readouterr().out.splitlines()
    assert lines == [f"a/fold0: epoch {epoch}, loss 0.5 [x]" for epoch in range(50)]


def _plain(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", text)
