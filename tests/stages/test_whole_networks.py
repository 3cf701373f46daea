"""A whole network goes through every stage beside a grafted one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from pipeline.errors import ConfigError
from pipeline.member_id import MemberId
from pipeline.stages import export, scorecard, train
from tests.helpers.competitions import TINY, context, draw_discs, said
from tests.helpers.small_networks import NARROW

WHOLE: dict[str, Any] = {"network": "unet_original", "options": NARROW["unet_original"]}
SETTINGS: dict[str, Any] = {
    "train": {"epochs": 1, "ema": None, "encoder_lr": 0.1},
    "models": {"whole": WHOLE, "grafted": {"decoder": "linknet", **TINY}},
}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("discs")
    draw_discs(folder)
    return folder


@pytest.mark.slow
def test_a_whole_network_goes_through_every_stage(root: Path, tmp_path: Path) -> None:
    stage = context(root, tmp_path, asked="all", **SETTINGS)
    scorecard.run(stage)
    table = stage.workspace.scorecard("md").read_text()
    assert "| whole |  | unet_original |" in table
    assert "| grafted | test_resnet | linknet |" in table

    again = context(root, tmp_path, asked="train", **SETTINGS)
    train.run(again)
    assert "up to date" in said(again)

    path = export.run(
        again, tmp_path / "runs/discs", export.ExportRequest("whole", 0, "state_dict", tmp_path)
    )
    assert path.is_file()
    wider = {
        **SETTINGS,
        "models": {**SETTINGS["models"], "whole": {**WHOLE, "options": {"width": 8}}},
    }
    changed = context(root, tmp_path, asked="train", **wider)
    train.run(changed)
    assert "whole/fold0" in said(changed) and "grafted/fold" not in said(changed)


@pytest.mark.parametrize(("key", "value"), [("drop_path", 0.1), ("checkpointing", True)])
def test_what_needs_an_encoder_is_refused_before_training(
    root: Path, tmp_path: Path, key: str, value: object
) -> None:
    settings = {"train": {"epochs": 1, key: value}, "models": {"whole": WHOLE}}
    with pytest.raises(ConfigError, match=rf"^models\.whole: train\.{key}"):
        train.run(context(root, tmp_path, **settings))


@pytest.mark.slow
def test_it_starts_from_another_one(root: Path, tmp_path: Path) -> None:
    models = {"first": WHOLE, "second": {**WHOLE, "init": "first"}}
    stage = context(root, tmp_path, train={"epochs": 1, "ema": None, "lr": 1e-12}, models=models)
    train.run(stage)
    first, second = (
        load_file(stage.workspace.member(MemberId(name, 0)).weights("plain"))
        for name in ("first", "second")
    )
    for key, each in first.items():
        torch.testing.assert_close(second[key], each, msg=key)
