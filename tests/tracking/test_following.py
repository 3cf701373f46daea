"""The follower feeds every tracker what it lacks, once, and no tracker can harm or delay a make."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil
import pytest

from pipeline.tracking import TRACKERS, TrackerKind
from pipeline.tracking.follower import Orders
from pipeline.tracking.following import following, usable
from tests.helpers.trackers import calls

HELPERS = "tests.helpers.trackers"
HEADER = "epoch,loss,score,lr\n"
ROWS = [f"{epoch},{1 / epoch},{epoch / 10},0.001\n" for epoch in range(1, 9)]
TABLE = "model,CV,OOF,nested,weight,LB\na,0.5,0.6,0.55,1.00,\nensemble,0.5,0.6,0.55,,0.7\n"


def orders(folder: Path, **adapters: str) -> Orders:
    named = {name: f"{HELPERS}:{adapter}" for name, adapter in adapters.items()}
    return Orders("x", str(folder), named, "dice", {"a": {"lr": "0.1"}}, [("a", 0, 0)], poll_s=0.05)


def write_history(folder: Path, rows: Sequence[str], *, over: bool = False) -> None:
    path = folder / "runs/x/a/fold0/history.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(HEADER + "".join(rows))
    if over:
        path.with_name("manifest.json").write_text("{}")


def told(folder: Path, tracker: str = "records") -> list[list[Any]]:
    return calls(folder / "runs/x/tracking" / tracker)


def follow(folder: Path, grace_s: float = 20, **adapters: str) -> tuple[list[str], float]:
    """The warnings of a make that does nothing, and the seconds that its end took."""
    warned: list[str] = []
    with following(orders(folder, **adapters), warned.append, grace_s):
        started = time.monotonic()
    return warned, time.monotonic() - started


def test_rows_are_told_once_however_often_a_run_is_resumed(tmp_path: Path) -> None:
    for count in (2, 2, 5):
        write_history(tmp_path, ROWS[:count])
        assert follow(tmp_path, records="Records")[0] == []
    logged = [call for call in told(tmp_path) if call[1] == "log"]
    assert [call[2] for call in logged] == [1, 2, 3, 4, 5]
    assert logged[1] == ["a/fold0", "log", 2, {"loss": 0.5, "dice": 0.2, "lr": 0.001}]
    starts = [call[2] for call in told(tmp_path) if call[1] == "start"]
    assert starts == [1, 3], "a make that has nothing new opens nothing"


def test_rows_come_while_the_stages_run(tmp_path: Path) -> None:
    with following(orders(tmp_path, records="Records"), pytest.fail):
        for count in (1, 2):
            write_history(tmp_path, ROWS[:count])
            deadline = time.monotonic() + 30
            while len([c for c in told(tmp_path) if c[1] == "log"]) < count:
                assert time.monotonic() < deadline
                time.sleep(0.02)
        assert told(tmp_path)[-1][1] == "log", "a run that goes on stays open"
    assert told(tmp_path)[-1][1] == "finish"


def test_a_training_that_was_begun_anew_is_a_run_of_its_own(tmp_path: Path) -> None:
    write_history(tmp_path, ROWS[:3], over=True)
    follow(tmp_path, records="Records")
    write_history(tmp_path, ["1,9,0.5,0.1\n"])
    follow(tmp_path, records="Records")
    names = [call[0] for call in told(tmp_path) if call[1] == "start"]
    assert names == ["a/fold0", "a/fold0-2"]


def test_a_training_that_repeats_itself_is_told_nothing_twice(tmp_path: Path) -> None:
    for count in (3, 1, 4):
        write_history(tmp_path, ROWS[:count])
        follow(tmp_path, records="Records")
    steps = [call[2] for call in told(tmp_path) if call[1] == "log"]
    assert steps == [1, 2, 3, 4]


def test_every_new_scorecard_is_a_step(tmp_path: Path) -> None:
    path = tmp_path / "runs/x/scorecard.csv"
    path.parent.mkdir(parents=True)
    for table in (TABLE, TABLE, TABLE.replace("0.55", "0.59")):
        path.write_text(table)
        follow(tmp_path, records="Records")
    logged = [call for call in told(tmp_path) if call[1] == "log"]
    assert [call[:3] for call in logged] == [["scorecard", "log", 1], ["scorecard", "log", 2]]
    values = logged[1][3]
    assert values["ensemble/LB"] == 0.7 and values["a/nested"] == 0.59 and "a/LB" not in values


@pytest.mark.parametrize(
    ("adapter", "reason"),
    [
        ("Raises", "RuntimeError: the tracker's server is gone"),
        ("Exits", "SystemExit: not logged in"),
        ("Missing", "AttributeError"),
    ],
)
def test_a_tracker_that_fails_is_one_warning_and_holds_back_no_other(
    adapter: str, reason: str, tmp_path: Path
) -> None:
    write_history(tmp_path, ROWS[:3])
    warned, _ = follow(tmp_path, bad=adapter, good="Records")
    (line,) = warned
    assert line.startswith(f"track: bad stopped: {reason}")
    assert len([call for call in told(tmp_path, "good") if call[1] == "log"]) == 3


def test_what_a_tracker_failed_to_take_comes_with_the_next_make(tmp_path: Path) -> None:
    write_history(tmp_path, ROWS[:3])
    follow(tmp_path, t="Raises")
    follow(tmp_path, t="Records")
    assert [call[2] for call in told(tmp_path, "t") if call[1] == "log"] == [1, 2, 3]


@pytest.mark.parametrize(
    "adapter", ["Sleeps", pytest.param("SleepsAtTheEnd", marks=pytest.mark.slow)]
)
def test_a_tracker_that_hangs_costs_the_grace_and_no_more(adapter: str, tmp_path: Path) -> None:
    write_history(tmp_path, ROWS[:3])
    warned, seconds = follow(tmp_path, grace_s=8, bad=adapter, good="Records")
    assert seconds < 12
    assert [line.split(";")[0] for line in warned] == ["track: bad: not done 8 s after the stages"]
    assert told(tmp_path, "good")[-1] == ["a/fold0", "finish"]
    assert not _followers(tmp_path)


def test_an_error_of_a_stage_comes_through_and_ends_the_follower(tmp_path: Path) -> None:
    write_history(tmp_path, ROWS[:1])
    with (
        pytest.raises(ValueError, match="of the stage"),
        following(orders(tmp_path, records="Records"), pytest.fail),
    ):
        raise ValueError("of the stage")
    assert not _followers(tmp_path)


def test_a_follower_ends_with_a_make_that_is_killed(tmp_path: Path) -> None:
    code = (
        "import sys, os; from pathlib import Path\n"
        "from tests.tracking.test_following import orders, following\n"
        "with following(orders(Path(sys.argv[1]), bad='Sleeps'), print):\n"
        "    print('ready', flush=True); os.read(0, 1)"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    make = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert make.stdout and make.stdout.readline() == b"ready\n"
    assert _followers(tmp_path)
    make.kill()
    make.wait()
    deadline = time.monotonic() + 20
    while _followers(tmp_path):
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_only_one_of_two_makes_feeds(tmp_path: Path) -> None:
    write_history(tmp_path, ROWS)
    with (
        following(orders(tmp_path, records="Records"), pytest.fail),
        following(orders(tmp_path, records="Records"), pytest.fail),
    ):
        pass
    assert [call[2] for call in told(tmp_path) if call[1] == "log"] == list(range(1, 9))


def test_a_package_that_is_missing_is_named_with_the_command() -> None:
    warned: list[str] = []
    kinds = {**TRACKERS, "none": TrackerKind("no_such_package", "x:X")}
    assert "none" not in usable({"none": kinds["none"]}, warned.append)
    (line,) = warned
    assert "pip install 'maskmill[none]'" in line and "no_such_package is not installed" in line


def _followers(folder: Path) -> list[psutil.Process]:
    return [
        each
        for each in psutil.process_iter(["cmdline"])
        if str(folder) in " ".join(each.info["cmdline"] or ())
        and "pipeline.tracking.follower" in (each.info["cmdline"] or ())
    ]
