"""A batch of one that cannot be normalised is known before training."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import timm
import torch

from pipeline.config import TrainConfig
from pipeline.errors import ConfigError
from pipeline.models.decoders.registry import DECODERS
from pipeline.stages import folds, train
from pipeline.training.rehearsal import check_batch
from tests.helpers.competitions import TINY, context, draw_discs
from tests.helpers.small_models import model


@pytest.mark.parametrize(
    ("decoder", "side", "batch"),
    [
        *((decoder, side, 1) for decoder in sorted(DECODERS) for side in (32, 64)),
        *((decoder, 32, 2) for decoder in ("pspnet", "deeplabv3", "deeplabv3plus")),
    ],
)
def test_it_foresees_just_what_torch_refuses(decoder: str, side: int, batch: int) -> None:
    network = model(decoder, "test_resnet").train()
    try:
        network(torch.zeros(batch, 3, side, side))
        trainable = True
    except ValueError as error:
        assert "more than 1 value per channel" in str(error)
        trainable = False
    try:
        check_batch("a", network, 3, TrainConfig(batch=batch, size=(side, side)))
        foreseen = True
    except ConfigError:
        foreseen = False
    assert foreseen == trainable


def test_train_says_so_before_it_starts(tmp_path: Path) -> None:
    draw_discs(tmp_path / "discs")
    models = {"deep": {"decoder": "deeplabv3plus", **TINY}}
    stage = context(tmp_path / "discs", tmp_path, models=models, train={"batch": 1})
    with pytest.raises(ConfigError, match=r"models\.deep: train\.batch: 1 .* set train\.batch: 2"):
        train.run(stage)
    assert not list(tmp_path.glob("runs/discs/deep/*/*"))
    assert not stage.workspace.fold_table.exists()


def no_encoder() -> torch.nn.Module:
    """Whose output is no picture."""
    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.LazyLinear(1))


@pytest.mark.parametrize(
    ("model_", "training", "says"),
    [
        ({"decoder": "deeplabv3plus", **TINY}, {"batch": 1}, "train.batch: 1"),
        ({"decoder": "unet", "encoder": f"{__name__}:no_encoder", "weights": None}, {}, "grafted"),
        ({"decoder": "unet", "encoder": "test_resnet"}, {}, "pretrained weights"),
    ],
    ids=["batch", "encoder", "weights"],
)
def test_a_training_that_cannot_begin_leaves_the_fold_table_alone(
    tmp_path: Path,
    model_: dict[str, Any],
    training: dict[str, Any],
    says: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Although an image is gone, and the table would be another."""
    discs = tmp_path / "discs"
    draw_discs(discs)
    folds.run(context(discs, tmp_path))
    table = context(discs, tmp_path).workspace.fold_table
    before = table.read_bytes()
    gone = sorted((discs / "images").iterdir())[0].name
    for part in ("images", "masks"):
        (discs / part / gone).unlink()
    monkeypatch.setattr(timm, "create_model", _offline(timm.create_model))
    stage = context(discs, tmp_path, models={"a": model_}, train=training)
    with pytest.raises(ConfigError, match=says):
        train.run(stage)
    assert table.read_bytes() == before


def _offline(create: Callable[..., torch.nn.Module]) -> Callable[..., torch.nn.Module]:
    def created(name: str, *, pretrained: bool = False, **options: Any) -> torch.nn.Module:
        if pretrained:
            raise OSError("offline")
        return create(name, **options)

    return created
