from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from pipeline.errors import ArtefactError
from pipeline.host import host_name
from pipeline.locks import hold, hold_one_of
from pipeline.maps.locks import exclusive, whole_folder

HOLDER = (
    "import sys, time; from pathlib import Path; from pipeline.locks import hold\n"
    "with hold(Path(sys.argv[1])): print('held', flush=True); time.sleep(60)"
)


def _holder(path: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None and process.stdout.readline() == "held\n"
    return process


def test_a_second_process_is_told_who_holds_the_lock(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    process = _holder(path)
    try:
        with pytest.raises(ArtefactError, match=f"pid {process.pid}"), hold(path, patience_s=0.2):
            pass
    finally:
        process.kill()
        process.wait()


def test_the_lock_of_a_killed_process_is_free_at_once(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    process = _holder(path)
    process.send_signal(signal.SIGKILL)
    process.wait()
    with hold(path, patience_s=0):
        assert path.read_text() == f"pid {os.getpid()} on {host_name()}\n"


def test_a_waiter_is_told_once_and_goes_on_when_the_lock_is_free(tmp_path: Path) -> None:
    path, told = tmp_path / "lock", []
    entered = threading.Event()

    def wait() -> None:
        with hold(path, waiting=told.append):
            entered.set()

    with hold(path):
        waiter = threading.Thread(target=wait)
        waiter.start()
        time.sleep(0.5)
        assert not entered.is_set()
    waiter.join(timeout=5)
    assert entered.is_set()
    assert told == [f"pid {os.getpid()} on {host_name()}"]


def test_any_free_lock_of_several_is_taken(tmp_path: Path) -> None:
    paths = [tmp_path / "a", tmp_path / "b"]
    with hold_one_of(paths) as first, hold_one_of(paths) as second:
        assert {first, second} == {0, 1}
    with hold_one_of(paths) as again:
        assert again == 0


@pytest.mark.parametrize("kind", ["link", "dangling link", "hard link", "folder", "pipe"])
def test_what_is_no_plain_file_is_never_made_a_lock(tmp_path: Path, kind: str) -> None:
    precious, path = tmp_path / "precious", tmp_path / "lock"
    precious.write_text("keep")
    make = {
        "link": lambda: path.symlink_to(precious),
        "dangling link": lambda: path.symlink_to(tmp_path / "nowhere"),
        "hard link": lambda: path.hardlink_to(precious),
        "folder": path.mkdir,
        "pipe": lambda: os.mkfifo(path),
    }
    make[kind]()
    with pytest.raises(ArtefactError, match="needed as a lock file, but is a link or not a plain"):
        hold(path).__enter__()
    with pytest.raises(ArtefactError, match="needed as a lock"):
        hold_one_of([path]).__enter__()
    with pytest.raises(ArtefactError, match="needed as a lock"):
        exclusive(path, [1]).__enter__()
    with pytest.raises(ArtefactError, match="needed as a lock"):
        whole_folder(path).__enter__()
    assert precious.read_text() == "keep" and not (tmp_path / "nowhere").exists()
