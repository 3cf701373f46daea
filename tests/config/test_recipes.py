"""Recipes lie under all that is written."""

from __future__ import annotations

import pytest

from pipeline.config import build_experiment
from pipeline.config.recipes import RECIPES, described
from pipeline.errors import ConfigError

MODELS = {"a": {"decoder": "unet", "encoder": "resnet18"}}
DATA = {"root": ".", "images": "{id}.png", "masks": "m/{id}.png", "classes": ["x"]}


def experiment(*overrides, **blocks):
    raw = {"name": "r", "data": DATA, "models": MODELS, **blocks}
    return build_experiment(raw, source="test", overrides=overrides)


@pytest.mark.parametrize("recipe", RECIPES)
def test_each_recipe_is_valid_and_reaches_every_model(recipe):
    given = experiment(recipe=recipe)
    wanted = RECIPES[recipe]["train"]["lr"]
    assert given.train.lr == given.models["a"].train.lr == wanted


@pytest.mark.parametrize("recipe", RECIPES)
def test_no_recipe_changes_when_it_is_used(recipe):
    experiment("train.augment.flips=[vertical]", "train.lr=1", recipe=recipe)
    assert experiment(recipe=recipe).train.lr == RECIPES[recipe]["train"]["lr"]


def test_what_is_written_beats_the_recipe():
    given = experiment("infer.tta=[vflip]", recipe="standard", train={"lr": 0.5, "batch": 3})
    assert (given.train.lr, given.train.batch) == (0.5, 3)
    assert given.models["a"].train == given.train
    assert given.models["a"].infer.tta == ("vflip",)


def test_a_recipe_of_a_models_own_takes_the_place_of_the_global_one():
    models = {"a": MODELS["a"], "b": {**MODELS["a"], "recipe": "strong", "train": {"batch": 2}}}
    given = experiment(recipe="fast", models=models, train={"epochs": 3})
    assert given.models["a"].infer.tta == tuple(RECIPES["fast"]["infer"]["tta"])
    assert given.models["b"].infer.tta == tuple(RECIPES["strong"]["infer"]["tta"])
    assert given.models["b"].train.batch == 2
    assert given.models["b"].train.epochs == given.models["a"].train.epochs == 3
    assert (given.models["a"].recipe, given.models["b"].recipe) == ("fast", "strong")


def test_an_unknown_recipe_is_one_mistake():
    with pytest.raises(ConfigError, match="recipe") as caught:
        experiment(recipe="standart")
    assert "1 mistake" in str(caught.value)


@pytest.mark.parametrize(
    "train", [{"epochs": 4}, {"steps": 3}, {"length": 9}, {"epochs": 4, "steps": 3}]
)
def test_a_length_that_is_written_in_any_form_is_the_only_one(train):
    given = experiment(recipe="strong", train=train)
    own = experiment(recipe="strong", models={"a": {**MODELS["a"], "train": train}})
    assert own.train.length == RECIPES["strong"]["train"]["length"]
    for each in (given.train, given.models["a"].train, own.models["a"].train):
        assert each.length == train.get("length")
        assert each.epochs == train.get("epochs", 20)


def test_what_a_recipe_sets_is_told_and_what_is_written_otherwise_too():
    given = experiment(recipe="standard", train={"lr": 0.5, "epochs": 3})
    told = described("standard", given.models["a"].model_dump(mode="json"))
    lr = RECIPES["standard"]["train"]["lr"]
    assert told.startswith("recipe standard: ") and "length" not in told
    assert f"train.lr 0.5, not {lr}" in told
    assert "infer.tta ['identity', 'hflip']" in told and "hflip'], not" not in told
