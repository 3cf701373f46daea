"""What a user sees: exit codes, one message without a traceback, the next command."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from pipeline import cli
from tests.competitions import draw_discs, raw_experiment


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    draw_discs(tmp_path / "data")
    (tmp_path / "discs.yaml").write_text(yaml.safe_dump(raw_experiment(tmp_path / "data")))
    return tmp_path


def test_a_stage_ends_with_what_where_and_the_next_command(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["folds", "--config", "discs.yaml", "--set", "folds.seed=3"]) == 0
    last = capsys.readouterr().out.strip().splitlines()[-1]
    assert last.startswith("folds: 2 folds → folds/discs.csv in ")
    assert last.endswith("; next: make train CONFIG=discs.yaml SET='folds.seed=3'")


def test_every_mistake_of_the_experiment_is_in_one_message(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    overrides = [
        "models.a.decoder=linkent",
        "models.b.encoder=resnet43",
        "train.loss={dise: 1}",
        "infer.tta=[hflp]",
        "ensemble.metric=dicee",
        "ensemble.postprocess=[minimum_aria]",
        "folds.cuont=3",
    ]
    assert cli.main(["check", "--config", "discs.yaml", "--set", *overrides]) == 2
    message = capsys.readouterr().err
    for nearest in ["linknet", "resnet34", "dice", "hflip", "minimum_area", "count"]:
        assert nearest in message
    assert "7 mistake(s)" in message and "Traceback" not in message


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
    assert "there is no folder nowhere" in capsys.readouterr().err


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
    assert "no space left" in message and "runs/discs/index.csv" in message
