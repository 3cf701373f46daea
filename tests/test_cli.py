"""What a user sees: exit codes, one message without a traceback, the next command."""

from __future__ import annotations

import shlex
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
import yaml

from pipeline import __version__, cli, command_line, finished_commands, stage_names
from tests.helpers.competitions import ONE_MODEL, context, draw_discs, raw_experiment, said

REPOSITORY = Path(__file__).parents[1]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    draw_discs(tmp_path / "data")
    (tmp_path / "discs.yaml").write_text(yaml.safe_dump(raw_experiment(tmp_path / "data")))
    return tmp_path


def test_the_parser_starts_at_once() -> None:
    """`maskmill predict --help` within a second: nothing large is imported to parse."""
    _imports_none_of("pipeline.cli", "numpy", "pandas", "pydantic", "rich", "psutil", "torch")


@pytest.mark.slow
def test_prediction_imports_no_training_library() -> None:
    """So that a notebook needs none of them."""
    training = ("albumentations", "lightning_fabric", "matplotlib", "torchmetrics", "tensorboardX")
    _imports_none_of("pipeline.stages.predict", *training, "sklearn", "jinja2")


def _imports_none_of(module: str, *large: str) -> None:
    code = f"import sys, {module}; print(*({{*{large}}} & {{*sys.modules}}))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    assert not done.stdout.strip()


@pytest.mark.parametrize(
    "command", sorted({*command_line.COMMANDS} - {"all", *stage_names.OF_FINISHED_RUNS})
)
def test_every_command_has_its_module(command: str) -> None:
    """It is imported by the command's name, so a module that moves is not missed before it runs."""
    assert callable(import_module(f"pipeline.stages.{command}").run)


def test_a_stage_ends_with_what_where_and_the_next_command(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["folds", "--config", "discs.yaml", "--set", "folds.seed=3"]) == 0
    last = capsys.readouterr().out.strip().splitlines()[-1]
    assert last.startswith("folds: 2 folds → folds/discs.csv in ")
    assert last.endswith("; next: make train CONFIG=discs.yaml SET=folds.seed=3")


@pytest.mark.parametrize(
    ("asked", "following"),
    [("train", "infer MODEL=a,b FOLD=0 CONFIG=x.yaml"), ("infer", "ensemble CONFIG=x.yaml")],
)
def test_the_next_command_is_for_the_same_members(
    tmp_path: Path, asked: str, following: str
) -> None:
    """Else `make train FOLD=0` would end with a command that first trains all other folds."""
    stage = context(tmp_path, tmp_path, asked=asked)
    stage.model, stage.fold, stage.arguments = "a,b", 0, " CONFIG=x.yaml"
    stage.done(asked, "2 things", tmp_path, 0.0)
    assert said(stage).endswith(f"; next: make {following}")


def test_the_next_command_is_one_for_the_shell(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What it says, given to a shell, reaches the program as it was said the first time."""
    odd = folder / "it's a; $(touch x)"
    odd.mkdir()
    config = (folder / "discs.yaml").rename(odd / "d &.yaml")
    (folder / "data").rename(odd / "data")
    overrides = ["data.group=^([it]\\d+)_", "train.loss={bce: 1, dice: 1}", "folds.seed=3"]
    given = ["--config", str(config), "--data", str(odd / "data"), "--set", *overrides]
    assert cli.main(["folds", *given, "--jobs", "1", "--devices", "cpu"]) == 0
    said = capsys.readouterr().out.strip().splitlines()[-1].partition("; next: ")[2]
    words = dict(word.partition("=")[::2] for word in shlex.split(said))
    assert words.pop("make") == words.pop("train") == ""
    assert words.pop("SET").split(" ", 1)[0] == overrides[0]
    assert words == {
        "CONFIG": str(config), "DATA": str(odd / "data"), "JOBS": "1", "DEVICES": "cpu"
    }  # fmt: skip


@pytest.mark.parametrize("score", ["", "nan", "inf", "1e999", "0,9961", "1_0", "much"])
def test_a_score_that_is_no_number_is_one_line(
    score: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["leaderboard", "--config", "discs.yaml", f"--score={score}"]
    assert cli.main(command) == 2
    assert capsys.readouterr().err.startswith(f"error: SCORE={score!r} is not a number")


def test_a_score_of_no_submission_says_where_there_are_some(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["leaderboard", "--config", "discs.yaml", "--score=-0.5"]
    assert cli.main(command) == 1
    said = "there is no submission in submissions/discs; run make submit CONFIG=discs.yaml"
    assert said in capsys.readouterr().err
    (folder / "submissions/mine").mkdir(parents=True)
    (folder / "submissions/mine/0a.yaml").write_text("rows: 1\n")
    assert cli.main(command) == 1
    assert "(there are some of mine: CONFIG=)" in capsys.readouterr().err


def test_every_mistake_of_the_experiment_is_in_one_message(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    overrides = [
        "models.a.decoder=linkent",
        "models.b.encoder=resnet43",
        "train.loss={dise: 1}",
        "infer.tta=[hflp]",
        "metric=dicee",
        "ensemble.postprocess=[minimum_aria]",
        "folds.cuont=3",
    ]
    assert cli.main(["check", "--config", "discs.yaml", "--set", *overrides]) == 2
    message = capsys.readouterr().err
    for nearest in ["linknet", "resnet34", "dice", "hflip", "minimum_area", "count"]:
        assert nearest in message
    assert "7 mistake(s)" in message and "Traceback" not in message


def test_a_tracker_that_does_not_exist_is_a_mistake_of_the_experiment(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wanted = ["--set", "track=[tensorbord]"]
    assert cli.main(["folds", "--config", "discs.yaml", *wanted]) == 2
    assert (
        "unknown tracker 'tensorbord'; the nearest names are tensorboard" in capsys.readouterr().err
    )


def test_bad_data_stops_with_the_id_and_without_a_traceback(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "data/images/i0_0.png").write_bytes(b"")
    (folder / "data/masks/i1_2.png").unlink()
    assert cli.main(["check", "--config", "discs.yaml"]) == 1
    message = capsys.readouterr().err
    assert "2 error(s)" in message and "i0_0" in message and "i1_2" in message
    assert "Traceback" not in message


def test_data_on_the_command_line_replaces_the_root(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["check", "--config", "discs.yaml", "--data", "nowhere"]) == 1
    assert "nowhere; set it" in capsys.readouterr().err


def test_an_experiment_that_does_not_exist_names_the_nearest(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["check", "--config", "disks.yaml"]) == 2
    assert "discs.yaml" in capsys.readouterr().err


def test_a_full_disk_is_a_message(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device", "runs/discs/index.csv")

    monkeypatch.setattr("pipeline.stages.check.write_atomic", full)
    assert cli.main(["check", "--config", "discs.yaml"]) == 1
    message = capsys.readouterr().err
    assert "No space left" in message and "runs/discs/index.csv" in message


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("train.lr=1 infer.tta=[d4]", ["train.lr=1", "infer.tta=[d4]"]),
        (r"data.group=^(a|b c's)_ train.lr=1", ["data.group=^(a|b c's)_", "train.lr=1"]),
        ("ensemble.weights={u: 1, l: 2}", ["ensemble.weights={u: 1, l: 2}"]),
        ("data.root=/a b;c&d", ["data.root=/a b;c&d"]),
    ],
)
def test_make_hands_settings_on_as_they_are_written(text: str, expected: list[str]) -> None:
    command = ["make", "-n", "-s", "-o", "Makefile", "STAMP=Makefile", "train", f"SET={text}"]
    run = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    (word,) = [each for each in shlex.split(run.stdout) if each.startswith("--set=")]
    assert command_line.separated([word.removeprefix("--set=")]) == expected


def test_clean_removes_the_run_of_the_experiment_and_nothing_else(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "other.yaml").write_bytes((folder / "discs.yaml").read_bytes())
    assert cli.main(["folds", "--config", "discs.yaml"]) == 0
    (folder / "runs/other").mkdir()
    assert cli.main(["clean", "--config", "other.yaml"]) == 0
    assert sorted(path.name for path in (folder / "runs").iterdir() if path.name[0] != ".") == [
        "other"
    ]
    assert (folder / "folds/discs.csv").is_file() and (folder / "data").is_dir()
    assert cli.main(["clean", "--config", "other.yaml"]) == 0
    assert "there is no runs/discs" in capsys.readouterr().out


def test_an_override_without_a_space_after_its_colon_is_explained(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["check", "--config", "discs.yaml", "--set", "ensemble.weights={a:1,b:2}"]
    assert cli.main(command) == 2
    assert "write a space after each colon" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["trian"], "there is no command 'trian'; did you mean train"),
        (["check", "--jbos", "2"], "unrecognized arguments: --jbos"),
        (["check", "--jobs", "0"], "--jobs: '0' is not an integer from 1 to 1024"),
        (["check", "--jobs=-1"], "--jobs: '-1' is not an integer from 1 to 1024"),
        (["check", "--jobs", "abc"], "--jobs: 'abc' is not an integer"),
        (["check", "--jobs", "1e3"], "--jobs: '1e3' is not an integer"),
        (["check", "--jobs", "9" * 5000], "is not an integer"),
        (["train", "--fold", "x"], "--fold: 'x' is not an integer"),
        (
            ["predict", "--images", "*.tif", "--jobs", "0"],
            "--jobs: '0' is not an integer from 1 to 1024",
        ),
        (["leaderboard", "--score", ""], "SCORE='' is not a number"),
        (["check", "--set", "epochs"], "override 'epochs': write it as key=value"),
        (["check", "--set", "train.epoch=2"], "did you mean epochs"),
        (["check", "--config", "."], "it is a folder"),
        (["check", "--config", "x" * 5000], "File name too long"),
        (["check", "--config", "/dev/zero"], "not a regular file"),
        (["check", "--config", "discs\udcff.yaml"], "there is no experiment"),
        (["check", "--data", "x" * 300], "a name of 300 bytes"),
        (["check", "--data", "a\udcff"], "half of a character"),
    ],
)
def test_a_wrong_command_is_one_short_message(
    arguments: list[str], says: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    configured = any(each == "--config" for each in arguments) or arguments == ["trian"]
    own = [] if configured else ["--config", "discs.yaml"]
    assert cli.main([arguments[0], *own, *arguments[1:]]) == 2
    message = capsys.readouterr().err
    assert says in message and len(message) < 1000 and "usage" not in message


def test_the_next_command_is_quoted_for_the_shell(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "discs.yaml").rename(folder / "it's $HOME.yaml")
    assert cli.main(["folds", "--config", "it's $HOME.yaml"]) == 0
    last = capsys.readouterr().out.strip().splitlines()[-1]
    words = shlex.split(last.partition("; next: ")[2])
    assert words == ["make", "train", "CONFIG=it's $HOME.yaml"]


def test_the_version_is_that_of_the_package(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        cli.main(["--version"])
    assert stopped.value.code == 0
    assert capsys.readouterr().out == f"maskmill {__version__}\n"


def test_the_console_command_names_itself_in_the_next_one(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ["folds", "--config", "discs.yaml", "--set", "folds.seed=3"]
    assert cli.main(given, program="maskmill") == 0
    last = capsys.readouterr().out.strip().splitlines()[-1]
    assert last.endswith("; next: maskmill train --config discs.yaml --set folds.seed=3")


@pytest.mark.parametrize(
    ("command", "code", "says"),
    [
        (["predict"], 2, "predict: name a run (runs/<name>), or give --config"),
        (["predict", "runs/mine", "a.png"], 1, "there is no run runs/mine"),
        (["predict", "data", "a.png"], 1, "data is not a finished run"),
        (["predict", "runs/x", "a.png", "--set", "train.epochs=1"], 2, "need --config"),
        (["export", "runs/x", "other"], 2, "export takes one run and no 'other'"),
    ],
)
def test_a_run_that_cannot_be_used_is_one_short_message(
    command: list[str], code: int, says: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(command) == code
    assert says in capsys.readouterr().err
    assert sorted(path.name for path in folder.iterdir()) == ["data", "discs.yaml"]


def test_masks_by_experiment_and_by_run_are_the_same(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "one.yaml").write_text(
        yaml.safe_dump(raw_experiment(folder / "data", name="one", **ONE_MODEL))
    )
    (folder / "new images").mkdir()
    for path in sorted((folder / "data/test").iterdir())[:2]:
        path.rename(folder / "new images" / path.name)
    made = ["predict", "--config=one.yaml", "--images=new images/*.png", "--out=m", "--jobs=1"]
    assert cli.main(made) == 0
    assert "predict: masks of 2 image(s) → m" in capsys.readouterr().out
    several = ["predict", "one", "new images/t0_0.png", "new images/t0_1.png", "--out", "n"]
    assert cli.main([*several, "--jobs", "1", "--overlay"]) == 0
    assert {path.name for path in (folder / "m").iterdir()} == {
        "areas.csv", "t0_0.png", "t0_1.png"
    }  # fmt: skip
    for path in (folder / "m").iterdir():
        assert path.read_bytes() == (folder / "n" / path.name).read_bytes()
    assert len(list((folder / "n/overlays").iterdir())) == 2
    assert not (folder / "submissions").exists()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("data/test/*.png", ["data/test/*.png"]),
        ("data/test/*.png 'a b.png'", ["data/test/*.png", "a b.png"]),
        ("it's.png", ["it's.png"]),
        ("  ", []),
    ],
)
def test_one_text_names_one_pattern_or_several(
    text: str, expected: list[str], folder: Path
) -> None:
    assert finished_commands.pieces(text) == expected
