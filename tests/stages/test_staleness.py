"""What is made again when bytes, files or images change, and what stays as it is."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import safetensors.torch
import torch

from pipeline.errors import ConfigError, DataError
from pipeline.manifests import write_manifest
from pipeline.models.factory import build_model
from pipeline.stages import check, folds, infer, scorecard, submit, train
from pipeline.stages.context import StageContext
from tests.helpers.competitions import ONE_MODEL, context, draw_discs, said


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The data and the workspace of a small experiment that has run to its end."""
    root, workspace = tmp_path_factory.mktemp("discs"), tmp_path_factory.mktemp("workspace")
    draw_discs(root, count=8, test=2, size=(32, 32))
    scorecard.run(stage(root, workspace))
    return root, workspace


@pytest.fixture
def data(copied: tuple[Path, Path], tmp_path: Path) -> Path:
    """A copy of the data that a test may change."""
    return Path(shutil.copytree(copied[0], tmp_path / "data"))


def stage(root: Path, workspace: Path, **blocks: Any) -> StageContext:
    settings = {**ONE_MODEL, **blocks}
    settings["train"] = {"size": [32, 32], **ONE_MODEL["train"], **blocks.get("train", {})}
    return context(root, workspace, **settings)


def made(stages: StageContext) -> list[str]:
    return [line.split(":")[0] for line in said(stages).splitlines() if " → " in line]


@pytest.mark.parametrize(
    ("lost", "redone"),
    [
        ("scorecard.csv", ["scorecard"]),
        ("scorecard.md", ["scorecard"]),
        ("report.html", ["scorecard"]),
        ("oof_scores.csv", ["ensemble"]),
        ("ensemble.yaml", ["ensemble"]),
        ("index.csv", ["check"]),
        ("a/fold0/history.csv", []),
    ],
)
def test_a_file_that_was_deleted_is_made_again(
    copied: tuple[Path, Path], lost: str, redone: list[str]
) -> None:
    root, workspace = copied
    path = workspace / "runs/discs" / lost
    before = path.read_bytes()
    path.unlink()
    again = stage(root, workspace)
    scorecard.run(again)
    assert made(again) == redone
    if path.suffix != ".html" and path.name != "index.csv":
        assert path.read_bytes() == before


def test_other_weights_of_the_same_settings_redo_maps_blend_and_submission(
    copied: tuple[Path, Path],
) -> None:
    root, workspace = copied
    member = workspace / "runs/discs/a/fold0"
    manifest = json.loads((member / "manifest.json").read_text())
    for path in member.glob("*.safetensors"):
        tensors = safetensors.torch.load_file(path)
        safetensors.torch.save_file({key: each * 0.5 for key, each in tensors.items()}, path)
    named = [member / name for name in manifest["files"]]
    facts = {key: manifest[key] for key in ("made_from", "history", "weights", "score")}
    write_manifest(member / "manifest.json", manifest["fingerprint"], named, **facts)
    again = stage(root, workspace)
    submit.run(again)
    assert made(again) == ["infer", "ensemble", "submit"]
    table = pd.read_csv(workspace / "folds/discs.csv")
    count = int((table["fold"] == 0).sum()) + 2
    assert f"infer: {count} maps" in said(again), "of the other fold, nothing is predicted again"


def test_a_deleted_weights_file_trains_that_member_again_and_says_why(
    copied: tuple[Path, Path],
) -> None:
    root, workspace = copied
    (path,) = (workspace / "runs/discs/a/fold1").glob("last_*.safetensors")
    path.unlink()
    again = stage(root, workspace)
    train.run(again)
    assert f"retraining a/fold1: {path.name} missing" in said(again)
    assert "1 member(s) trained (a/fold1)" in said(again)


@pytest.mark.slow
def test_a_dropped_image_moves_nobody_and_spares_the_member_that_never_saw_it(
    copied: tuple[Path, Path], data: Path
) -> None:
    _, workspace = copied
    path = workspace / "folds/discs.csv"
    before = pd.read_csv(path, dtype=str)
    gone = before.iloc[0]
    (data / f"images/{gone['id']}.png").unlink()
    (data / f"masks/{gone['id']}.png").unlink()
    with pytest.raises(ConfigError, match="MODEL=b"):
        wrong = stage(data, workspace)
        wrong.model = "b"
        train.run(wrong)
    assert pd.read_csv(path, dtype=str).equals(before), "a command that fails writes nothing"

    again = stage(data, workspace)
    infer.run(again)
    after = pd.read_csv(path, dtype=str)
    left = before[before["id"] != gone["id"]]
    assert after.set_index("id")["fold"].to_dict() == left.set_index("id")["fold"].to_dict()
    other = "1" if gone["fold"] == "0" else "0"
    assert f"folds: fold {gone['fold']} lost 1 image(s): {gone['id']}" in said(again)
    assert f"training images change: a/fold{other}" in said(again)
    assert f"train: retraining a/fold{other}: changed: training images" in said(again)
    assert f"1 member(s) trained (a/fold{other})" in said(again)


def test_a_table_of_somebody_is_not_extended(copied: tuple[Path, Path], data: Path) -> None:
    _, workspace = copied
    (workspace / "folds/discs.json").unlink()
    before = (workspace / "folds/discs.csv").read_bytes()
    (data / "images/i0_0.png").unlink()
    (data / "masks/i0_0.png").unlink()
    with pytest.raises(Exception, match="unknown ids: i0_0"):
        folds.run(stage(data, workspace))
    assert (workspace / "folds/discs.csv").read_bytes() == before


def test_a_changed_test_image_is_predicted_alone(copied: tuple[Path, Path], data: Path) -> None:
    _, workspace = copied
    one, other = sorted((data / "test").iterdir())
    shutil.copy(other, one)
    again = stage(data, workspace)
    infer.run(again)
    assert "infer: 1 maps" in said(again)


def test_check_puts_files_of_weights_into_their_networks(copied: tuple[Path, Path]) -> None:
    root, workspace = copied
    path = workspace / "mine.pth"
    model = {"decoder": "linknet", "encoder": "test_resnet", "weights": str(path)}
    models = {"a": {**model, "allow_partial": True}}
    torch.save({"other": torch.zeros(3)}, path)
    with pytest.raises(DataError, match=r"models\.a\.weights: .*0 of \d+ tensors fit"):
        check.run(stage(root, workspace, models=models))
    spec = stage(root, workspace, models=models).experiment.models["a"].architecture
    network = build_model(spec.model_copy(update={"weights": None}), classes=1)
    torch.save(network.encoder.graft.state_dict(), path)
    state = {
        key.removeprefix("backbone."): each
        for key, each in network.encoder.graft.state_dict().items()
    }
    torch.save(state, path)
    check.run(stage(root, workspace, models=models))
    assert (workspace / "runs/discs/weights.json").is_file()
