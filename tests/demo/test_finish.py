"""A demo folder is whole or not there, whatever happens while it is drawn."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from pipeline.demo.finish import finish, write_table
from pipeline.errors import DataError
from pipeline.host import host_name

PARAMETERS = {"demo": "test", "seed": 1}


def _draw(folder: Path) -> None:
    (folder / "a.txt").write_text("whole")


def _refuse(folder: Path) -> None:
    raise AssertionError("drawn again")


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_demo_is_drawn_once(tmp_path: Path) -> None:
    finish(tmp_path / "deep" / "demo", PARAMETERS, _draw)
    finish(tmp_path / "deep" / "demo", PARAMETERS, _refuse)
    assert _names(tmp_path / "deep" / "demo") == ["a.txt", "demo.json"]
    assert _names(tmp_path / "deep") == ["demo"]


def test_an_empty_folder_is_filled(tmp_path: Path) -> None:
    (tmp_path / "demo").mkdir()
    finish(tmp_path / "demo", PARAMETERS, _draw)
    assert (tmp_path / "demo" / "a.txt").read_text() == "whole"


def test_another_demo_is_refused_and_kept(tmp_path: Path) -> None:
    finish(tmp_path / "demo", PARAMETERS, _draw)
    with pytest.raises(DataError, match=r"seed: 1 there, 2 asked.*delete it"):
        finish(tmp_path / "demo", PARAMETERS | {"seed": 2}, _refuse)
    assert (tmp_path / "demo" / "a.txt").read_text() == "whole"


@pytest.mark.parametrize("content", ["precious", "{", "[1, 2]"])
def test_a_folder_of_something_else_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "demo.json").write_text(content)
    with pytest.raises(DataError, match="not a demo"):
        finish(tmp_path, PARAMETERS, _refuse)
    assert (tmp_path / "demo.json").read_text() == content


@pytest.mark.parametrize("kind", [KeyboardInterrupt, OSError])
def test_a_drawing_that_fails_leaves_nothing(tmp_path: Path, kind: type[BaseException]) -> None:
    def fail(folder: Path) -> None:
        _draw(folder)
        raise kind("half way")

    with pytest.raises(kind, match="half way"):
        finish(tmp_path / "demo", PARAMETERS, fail)
    assert _names(tmp_path) == []


def test_a_killed_drawing_is_swept_away_by_the_next(tmp_path: Path) -> None:
    script = textwrap.dedent("""
        import os, signal, sys
        from pathlib import Path
        from pipeline.demo.finish import finish
        def draw(folder):
            (folder / "a.txt").write_text("half")
            os.kill(os.getpid(), signal.SIGKILL)
        finish(Path(sys.argv[1]), {"demo": "test", "seed": 1}, draw)
    """)
    killed = subprocess.run([sys.executable, "-c", script, str(tmp_path / "demo")], check=False)
    assert killed.returncode == -9
    assert not (tmp_path / "demo").exists()
    assert len(_names(tmp_path)) == 1
    finish(tmp_path / "demo", PARAMETERS, _draw)
    assert _names(tmp_path) == ["demo"]
    assert (tmp_path / "demo" / "a.txt").read_text() == "whole"


def test_the_work_of_a_living_process_is_not_swept_away(tmp_path: Path) -> None:
    theirs = tmp_path / f".demo.drawing-{host_name()}-{os.getppid()}"
    remote = tmp_path / f".demo.drawing-{host_name()}b-{2**22 + 1}"  # no process has that number
    for folder in (theirs, remote):
        folder.mkdir()
    finish(tmp_path / "demo", PARAMETERS, _draw)
    assert theirs.is_dir() and remote.is_dir()


def test_the_second_of_two_processes_takes_what_the_first_made(tmp_path: Path) -> None:
    def beaten(folder: Path) -> None:
        finish_as_another(tmp_path / "demo")
        _draw(folder)

    def finish_as_another(folder: Path) -> None:
        folder.mkdir()
        (folder / "demo.json").write_text('{"demo": "test", "seed": 1}')

    finish(tmp_path / "demo", PARAMETERS, beaten)
    assert _names(tmp_path) == ["demo"]


def test_tables_have_the_same_line_ends_everywhere(tmp_path: Path) -> None:
    write_table(tmp_path / "t.csv", ("id", "rle"), [("a", "1 2"), ("b", "")])
    assert (tmp_path / "t.csv").read_bytes() == b"id,rle\na,1 2\nb,\n"
