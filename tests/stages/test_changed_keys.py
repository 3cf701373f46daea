"""Which keys changed since a member was trained; weights that cannot be had fail once."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.config import ModelSpec
from pipeline.errors import ConfigError
from pipeline.stages import train
from pipeline.stages.parts import starting_weights
from pipeline.stages.parts.changed_keys import changed_keys
from tests.helpers.competitions import ONE_MODEL, context, draw_discs, said


@pytest.mark.parametrize(
    ("before", "now", "text"),
    [
        ({"train": {"epochs": 1}}, {"train": {"epochs": 20}}, " (train.epochs was 1, is 20)"),
        ({"train": {"epochs": 1}}, {}, " (train.epochs was 1, is the default)"),
        ({}, {"input": {"resize": 0.5}}, " (input.resize was the default, is 0.5)"),
        ({"a": 1}, {"a": 1}, ""),
        (None, {"a": 1}, ""),
        ({}, dict.fromkeys("abcdef", 1), " (a was the default, is 1; b was the default, is 1; "
         "c was the default, is 1; d was the default, is 1 and 2 more)"),
    ],
)  # fmt: skip
def test_the_text(before: object, now: dict[str, object], text: str) -> None:
    assert changed_keys(before, now) == text


def test_train_says_which_key_makes_it_train_again(tmp_path: Path) -> None:
    draw_discs(tmp_path / "discs", count=8)
    train.run(context(tmp_path / "discs", tmp_path, **ONE_MODEL))
    longer = {**ONE_MODEL, "train": {"epochs": 2, "ema": None}}
    stage = context(tmp_path / "discs", tmp_path, **longer)
    train.run(stage)
    assert "changed: train settings (train.epochs was 1, is 2)" in said(stage)


def test_weights_that_are_not_to_be_had_fail_once_and_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[str] = []

    def find(name: str, weights: str) -> None:
        asked.append(name)
        raise ConfigError(f"no weights of {name}")

    monkeypatch.setattr(starting_weights, "find_weights", find)
    own = ModelSpec(decoder="unet", encoder="test_resnet", weights=None)
    hub = ModelSpec(decoder="unet", encoder="resnet18")
    told: list[str] = []
    starting_weights.fetch_weights([own], told.append)
    assert not asked and not told
    with pytest.raises(ConfigError, match="no weights of resnet18"):
        starting_weights.fetch_weights([own, hub, hub], told.append)
    assert asked == ["resnet18"]
    assert told == ["train: pretrained weights of resnet18, from timm's cache or hub"]
