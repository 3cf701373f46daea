"""A batch of one that cannot be normalised is known before training."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from pipeline.config import TrainConfig
from pipeline.errors import ConfigError
from pipeline.models.decoders.registry import DECODERS
from pipeline.stages import train
from pipeline.training.rehearsal import check_batch
from tests.competitions import TINY, context, draw_discs
from tests.models.build import model


@pytest.mark.parametrize("decoder", sorted(DECODERS))
@pytest.mark.parametrize("side", [32, 64])
@pytest.mark.parametrize("batch", [1, 2])
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
