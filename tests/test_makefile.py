"""What the user gives to make reaches the program as it is written, and is never run."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

MAKEFILE = Path(__file__).parents[1] / "Makefile"
OPTIONS = {
    "CONFIG": "--config",
    "DATA": "--data",
    "SET": "--set",
    "JOBS": "--jobs",
    "DEVICES": "--devices",
    "CLUSTER": "--cluster",
    "MODEL": "--model",
    "FOLD": "--fold",
    "SCORE": "--score",
    "LABEL": "--label",
    "IMAGES": "--images",
    "OUT": "--out",
    "FORMAT": "--format",
    "NAME": "--name",
    "SEED": "--seed",
}
UNHEARD = ("NAME", "SEED", "CLUSTER")
"""Others set them in the environment."""
TARGETS = {"SCORE": "leaderboard", "LABEL": "leaderboard", "IMAGES": "predict", "OUT": "predict",
           "FORMAT": "export", "NAME": "init", "SEED": "export"}  # fmt: skip
ODD = [
    "$(shell touch run)",
    "${shell touch run}$(eval all:;touch run)",
    "$$(touch run)$HOME $x $$ ${CONFIG}",
    "`touch run`",
    "x; touch run",
    "x' ; touch run #",
    '"; touch run; "',
    "a b  c",
    "blank behind ",
    "# no comment",
    "%.c *.y* ? [ab] ~ !x",
    "back\\slash \\' \\",
    "a,b=c:d",
    "-n",
    "größe ☃",
    "(a|b){2}$",
    "&& touch run || touch run > run < run &",
]


# What make takes for blank counts as not given.
TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1).filter(str.strip)


def handed_over(
    folder: Path, target: str, given: dict[str, str], *, environment: bool
) -> list[str]:
    """The words that the program is called with, by a make in `folder`."""
    run = ["RUN=printf '%s\\0'", "STAMP=here", "-o", "here", "-s", "-f", str(MAKEFILE), target]
    said = [] if environment else [f"{name}={value}" for name, value in given.items()]
    clean = {name: value for name, value in os.environ.items() if name not in OPTIONS}
    (folder / "here").touch()
    done = subprocess.run(
        ["make", *run, *said],
        cwd=folder,
        env={**clean, **(given if environment else {})},
        capture_output=True,
        check=True,
    )
    assert [each.name for each in folder.iterdir()] == ["here"], done
    return done.stdout.decode().split("\0")[:-1]


def target_of(name: str) -> str:
    return TARGETS.get(name, "train")


@pytest.mark.parametrize("environment", [False, True])
@pytest.mark.parametrize("value", ODD)
def test_every_variable_arrives_as_it_is_written(
    value: str, environment: bool, tmp_path: Path
) -> None:
    for target in ("train", "leaderboard", "predict", "export", "init"):
        shared = ("DATA",) if target == "init" else ("DATA", "SET")
        given = {name: value for name in OPTIONS if target_of(name) == target or name in shared}
        if environment:
            given = {name: each for name, each in given.items() if name not in UNHEARD}
        words = handed_over(tmp_path, target, given, environment=environment)
        assert words[0] == target
        for name in given:
            assert f"{OPTIONS[name]}={value}" in words


@settings(deadline=None, max_examples=15)
@given(TEXTS)
def test_any_text_arrives(value: str) -> None:
    """But for blanks before it on the command line, which make itself drops."""
    with tempfile.TemporaryDirectory() as folder:
        words = handed_over(Path(folder), "check", {"DATA": value}, environment=False)
        assert f"--data={value.lstrip(' ')}" in words
        words = handed_over(Path(folder), "check", {"DATA": value}, environment=True)
        assert f"--data={value}" in words


def test_a_line_break_is_a_blank(tmp_path: Path) -> None:
    given = {"SET": "train.epochs=2\ntrain.lr=1", "DATA": "x'\ntouch run\n'"}
    words = handed_over(tmp_path, "check", given, environment=False)
    assert "--set=train.epochs=2 train.lr=1" in words
    assert "--data=x' touch run '" in words


def test_names_that_others_set_in_the_environment_are_not_meant(tmp_path: Path) -> None:
    words = handed_over(tmp_path, "init", {"NAME": "host", "DATA": "d"}, environment=True)
    assert words == ["init", "--data=d"]
    words = handed_over(tmp_path, "train", {"CLUSTER": "hpc"}, environment=True)
    assert words == ["train", "--config=configs/demo.yaml"]
    words = handed_over(tmp_path, "export", {"SEED": "7", "MODEL": "a"}, environment=True)
    assert words == ["export", "--config=configs/demo.yaml", "--model=a"]


def test_what_is_not_given_is_not_handed_over(tmp_path: Path) -> None:
    for environment in (False, True):
        empty = {name: "" for name in OPTIONS if name != "CONFIG"}
        words = handed_over(tmp_path, "train", empty, environment=environment)
        assert words == ["train", "--config=configs/demo.yaml"]


@pytest.mark.parametrize(
    ("given", "says"),
    [
        pytest.param(
            {"DATA": "$(shell touch run) it's"},
            "/$(shell touch run) it's; set it",
            marks=pytest.mark.slow,
        ),
        ({"CONFIG": "$x;touch run.yaml"}, "there is no experiment $x;touch run.yaml"),
    ],
)
def test_a_wrong_value_is_one_clear_line(given: dict[str, str], says: str, tmp_path: Path) -> None:
    (tmp_path / "here").touch()
    (tmp_path / "configs").mkdir()
    own = (MAKEFILE.parent / "configs/own.yaml").read_text()
    (tmp_path / "configs/own.yaml").write_text(own)
    target = "train" if "FOLD" in given else "check"
    values = {"CONFIG": "configs/own.yaml", **given}
    words = [target, *(f"{name}={value}" for name, value in values.items())]
    stamp = ["STAMP=here", "-o", "here"]
    done = subprocess.run(
        ["make", "-s", "-f", str(MAKEFILE), f"BIN={Path(sys.executable).parent}", *stamp, *words],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(MAKEFILE.parent)},
        capture_output=True,
        check=False,
    )
    lines = [line for line in done.stderr.decode().splitlines() if not line.startswith("make:")]
    assert done.returncode == 2 and says in lines[0 if len(lines) == 1 else -1], lines
    assert len(lines) == (2 if "mistake(s)" in lines[0] else 1)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("words", "python", "builds"),
    [
        ([], ".venv/bin/python", True),
        (["VENV=.venv"], ".venv/bin/python", True),
        (["VENV=/env of mine"], "/env of mine/bin/python", False),
        (["VENV="], "python", False),
    ],
)
def test_make_uses_the_environment_that_is_named(
    words: list[str], python: str, builds: bool, tmp_path: Path
) -> None:
    """`VENV=` alone is the active one; only .venv is built."""
    (tmp_path / "requirements.txt").touch()
    command = ["make", "-n", "-s", "-f", str(MAKEFILE), "check", *words]
    clean = {name: value for name, value in os.environ.items() if name != "VENV"}
    done = subprocess.run(
        command, cwd=tmp_path, env=clean, capture_output=True, text=True, check=True
    )
    assert shlex.split(done.stdout.splitlines()[-1])[:4] == [python, "-m", "pipeline", "check"]
    assert ("-m venv" in done.stdout) == builds
