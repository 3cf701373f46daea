from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import BinaryIO

import pytest

from pipeline.atomic_files import stream_atomic, sweep, write_atomic
from pipeline.errors import ResourceError


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "artefact"
    write_atomic(path, "old")

    def half(stream: object) -> None:
        stream.write(b"ne")  # type: ignore[attr-defined]
        raise OSError("disk full")

    with pytest.raises(ResourceError, match="disk full"):
        stream_atomic(path, half)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_killed_writer_leaves_the_old_file_whole(tmp_path: Path) -> None:
    path = tmp_path / "artefact"
    old = b"a" * 4_000_000
    path.write_bytes(old)
    program = (
        "import sys; from pathlib import Path; from pipeline.atomic_files import write_atomic\n"
        "while True: write_atomic(Path(sys.argv[1]), b'b' * 4_000_000)"
    )
    for delay in (0.0, 0.003, 0.01):
        process = subprocess.Popen([sys.executable, "-c", program, str(path)])
        while not list(tmp_path.glob(".artefact.*")) and process.poll() is None:
            time.sleep(0.001)
        time.sleep(delay)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert path.read_bytes() in (old, b"b" * 4_000_000)


def test_files_get_the_permissions_of_ordinary_files(tmp_path: Path) -> None:
    write_atomic(tmp_path / "a", "x")
    (tmp_path / "b").write_text("x")
    assert (tmp_path / "a").stat().st_mode == (tmp_path / "b").stat().st_mode


def test_what_killed_writers_left_is_swept_and_never_what_a_living_one_writes(
    tmp_path: Path,
) -> None:
    left = tmp_path / ".state.bin.1.abcd.tmp"
    left.write_bytes(bytes(100))

    def write(stream: BinaryIO) -> None:
        stream.write(b"whole")
        sweep(tmp_path)

    stream_atomic(tmp_path / "state.bin", write)
    assert not left.exists()
    assert (tmp_path / "state.bin").read_bytes() == b"whole"


def test_the_longest_name_there_is_can_be_written(tmp_path: Path) -> None:
    path = tmp_path / ("é" * 125 + ".json")
    write_atomic(path, "x")
    assert path.read_text() == "x"
