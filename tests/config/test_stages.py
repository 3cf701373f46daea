"""`train.stages`: what a stage may say, what it leaves to `train`, and what does not add up."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pipeline.config import Experiment, TrainConfig, build_experiment
from pipeline.config.augmentation_presets import PRESETS
from pipeline.errors import ConfigError
from tests.helpers.competitions import TINY, raw_experiment

TWO: list[dict[str, Any]] = [
    {"size": 256, "steps": 4000},
    {"size": [512, 320], "steps": 50, "epochs": 20, "loss": "lovasz", "lr": 1e-4},
]


def _parts(**train: Any) -> list[TrainConfig]:
    return [part for _, part in TrainConfig.model_validate(train).parts()]


def _built(train: dict[str, Any], model: dict[str, Any] | None = None, **top: Any) -> Experiment:
    models = {"a": {"decoder": "linknet", **TINY, "train": model or {}}}
    raw = {**raw_experiment(Path("data"), models=models), "train": train, **top}
    return build_experiment(raw, source="test")


def test_stages_are_the_training_with_other_values() -> None:
    first, second = _parts(batch=3, loss="dice", stages=TWO)
    assert (first.size, second.size) == ((256, 256), (512, 320))
    assert (first.batch, second.batch) == (3, 3)
    assert (first.lr, second.lr) == (None, 1e-4)
    assert [part.loss[0].name for part in (first, second) if part.loss] == ["dice", "lovasz"]
    assert (first.length, first.steps) == (4000, None)  # steps alone are all of the stage
    assert (second.length, second.steps, second.epochs) == (None, 50, 20)


def test_a_default_that_a_stage_says_takes_the_place_of_what_train_says() -> None:
    settings = {"loss": "lovasz", "clip": None, "stages": [{"length": 9, "loss": None, "clip": 1}]}
    (part,) = _parts(**settings)
    assert part.loss is None and part.clip == 1


def test_blocks_of_a_stage_are_laid_over_those_of_the_training() -> None:
    augment = {"preset": "heavy", "mosaic": 0.5}
    stages = [
        {"length": 1, "augment": {"flips": []}},
        {"length": 1, "augment": {"preset": "light"}},
        {"length": 1, "augment": None},
    ]
    first, second, third = (part.augment for part in _parts(augment=augment, stages=stages))
    assert (first.rotate, first.flips, first.mosaic) == (PRESETS["heavy"]["rotate"], (), 0.5)
    assert (second.preset, second.rotate, second.mosaic) == ("light", 10, 0.5)
    assert third == TrainConfig.model_validate({"augment": augment}).augment


def test_a_written_experiment_has_the_stages_it_had() -> None:
    built = _built({"loss": "dice", "clip": None, "stages": [*TWO, {"length": 5, "clip": 1.0}]})
    again = build_experiment(built.model_dump(mode="json"), source="again")
    assert again == built
    assert list(again.models["a"].train.parts()) == list(built.models["a"].train.parts())


@pytest.mark.parametrize(
    ("train", "model", "top", "says"),
    [
        ({"epochs": 8}, {"stages": TWO}, {}, "4,000 steps + 20 epochs"),
        ({"stages": TWO}, {"length": 7}, {}, "7 steps"),
        ({"stages": TWO}, {"lr": 1e-3}, {}, "4,000 steps + 20 epochs"),
        ({"stages": TWO}, {"stages": [{"length": 3}]}, {}, "3 steps"),
        ({"stages": TWO}, {}, {"recipe": "fast"}, "4,000 steps + 20 epochs"),
        ({}, {"stages": TWO}, {"recipe": "fast"}, "4,000 steps + 20 epochs"),
        ({"stages": TWO}, {"stages": None}, {}, "3,000 steps"),
    ],
)
def test_what_a_model_says_of_its_length_replaces_what_is_said_for_all(
    train: dict[str, Any], model: dict[str, Any], top: dict[str, Any], says: str
) -> None:
    assert _built(train, model, **top).models["a"].train.duration == says


@pytest.mark.parametrize(
    ("train", "says"),
    [
        ({"stages": []}, r"train\.stages: \[\]: needs at least one stage"),
        ({"stages": {"steps": 3}}, r"train\.stages: .* should be a list"),
        ({"stages": [512]}, r"train\.stages\[0\]: 512: should be a block"),
        ({"stages": [{"size": 64}]}, r"train\.stages\[0\]: needs a length of its own"),
        ({"stages": [{"steps": 3}, {"steps": None}]}, r"train\.stages\[1\]: needs a length"),
        ({"stages": [{"steps": 0}]}, r"train\.stages\[0\]\.steps: 0: "),
        ({"stages": [{"steps": 3}], "steps": 5}, r"train: steps: 5 and stages do not add up"),
        ({"stages": [{"steps": 3}], "epochs": 5}, r"train: epochs: 5 and stages do not add up"),
        ({"stages": [{"steps": 3}], "length": 5}, r"train: length: 5 and stages do not add up"),
        ({"stages": [{"steps": 3, "length": 4}]}, r"stages\[0\]: length: 4 .* steps: 3"),
        ({"stages": [{"steps": 3, "ema": 0.9}]}, r"stages\[0\]\.ema: .* same: set train\.ema"),
        ({"stages": [{"steps": 3, "seed": 1}]}, r"stages\[0\]\.seed: .* same: set train\.seed"),
        ({"stages": [{"steps": 3, "sise": 1}]}, r"stages\[0\]\.sise: .* did you mean size"),
        ({"stages": [{"steps": 3, "stages": []}]}, r"stages\[0\]\.stages: no such key"),
        (
            {"stages": [{"steps": 3}, {"steps": 3, "size": 16}]},
            r"train\.stages\[1\]\.size: \[16, 16\]",
        ),
        ({"stages": [{"steps": 3, "size": [64]}]}, r"train\.stages\[0\]\.size\[1\]: is req"),
        ({"stages": [{"steps": 3, "size": [64, "x"]}]}, r"train\.stages\[0\]\.size\[1\]: 'x'"),
        ({"stages": [{"steps": 3, "loss": {"bce": "x"}}]}, r"train\.stages\[0\]\.loss"),
        (
            {"stages": [{"steps": 3, "sample": {"positives": [1]}}]},
            r"\[0\].sample.positives\[1\]: is req",
        ),
        ({"stages": [{"steps": 3, "augment": {"flip": 1}}]}, r"stages\[0\]\.augment\.flip: no"),
        ({"stages": [{"steps": 3, "loss": "ce"}]}, r"train\.stages\[0\]\.loss: ce is for excl"),
        (
            {"stages": [{"steps": 3, "augment": {"band_drop": 0.1}}]},
            r"train\.stages\[0\]\.augment\.band_drop needs data\.bands",
        ),
        (
            {"stages": [{"steps": 90}, {"steps": 3}], "average": {"last": 5}},
            r"average\.last: 5 is more than the last stage's epochs: 3",
        ),
        (
            {"stages": [{"steps": 90}, {"steps": 9, "freeze": {"norms": True}}]},
            r"train\.stages\[1\]\.freeze keeps what an encoder has learned",
        ),
        ({"init": "runs/x/y"}, r"train\.init: .* models\.<name>\.init"),
    ],
)
def test_stages_that_do_not_add_up_are_named(train: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        _built(train)


def test_a_mistake_in_train_is_not_told_again_for_its_stages() -> None:
    stages = [{"steps": 3, "augment": {"rotate": 3}}]
    with pytest.raises(ConfigError, match=r"1 mistake.*\n  train\.augment\.flip: no such key"):
        _built({"augment": {"flip": 1}, "stages": stages})
