"""The ways to write `train.loss`, what they mean, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from pipeline.config import Experiment, build_experiment
from pipeline.config.losses import PARAMETRISED, Bce, Dice
from pipeline.errors import ConfigError
from pipeline.known_names import name_checks
from pipeline.manifests import fingerprint
from tests.config.test_reference import said_wrong
from tests.helpers.experiments import raw

CLASSES: dict[str, Any] = {
    "data": {"classes": ["road", "car", "sky"]},
    "submission": {"rows": "class", "key": "{id}_{class}"},
}
EXCLUSIVE = {**CLASSES, "data": {**CLASSES["data"], "multiclass": True}}


def with_loss(loss: Any, **blocks: Any) -> Experiment:
    return build_experiment(
        raw(train={"loss": loss}, **blocks), source="x.yaml", checks=name_checks()
    )


def mistake(loss: Any, **blocks: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        with_loss(loss, **blocks)
    first, *lines = str(caught.value).splitlines()
    assert first == "x.yaml has 1 mistake(s):", "one mistake is told once"
    return lines[0].strip()


SAME = [
    {"bce": 1, "dice": 1}, {"dice": 1.0, "bce": 1}, ["bce", "dice"], ["dice", {"name": "bce"}],
    [{"name": "bce", "weight": 1, "topk": 1}, {"name": "dice", "batch": True, "squared": False}],
]  # fmt: skip


def test_all_ways_to_write_the_same_have_the_fingerprint_that_it_always_had() -> None:
    """As it was when a loss was a mapping of names to weights: runs stay fresh."""
    for each in SAME:
        stored = with_loss(each).models["a"].train.model_dump(mode="json", exclude_defaults=True)
        assert fingerprint(stored["loss"]) == fingerprint({"bce": 1.0, "dice": 1.0})
    assert "loss" not in with_loss(None).train.model_dump(mode="json", exclude_defaults=True)
    same = [{"name": "tversky", "alpha": 0.3}, ["tversky"], "tversky", {"tversky": 1}]
    assert len({fingerprint(with_loss(each).train) for each in same}) == 1
    numbers = [{"name": "focal", "gamma": 3}, [{"name": "focal", "gamma": 3.0}]]
    assert len({fingerprint(with_loss(each).train) for each in numbers}) == 1


def test_parameters_change_the_fingerprint() -> None:
    several: list[Any] = [
        "dice", {"dice": 2}, {"name": "dice", "batch": False}, {"name": "dice", "squared": True},
        ["dice", {"name": "dice", "squared": True}],
    ]  # fmt: skip
    assert len({fingerprint(with_loss(each).train) for each in several}) == len(several)


@pytest.mark.parametrize(
    "loss",
    [
        *SAME, "lovasz", {"name": "dice", "squared": True}, {"boundary": 0.01},
        [{"name": "tversky", "alpha": 0.3, "beta": 0.7, "weight": 0.5}, "bce"],
        [{"name": "bce", "class_weights": {"car": 2}}, {"name": "bce", "topk": 0.1}],
        {"name": "focal", "class_weights": [1, 0, 2]},
    ],
    ids=str,
)  # fmt: skip
def test_what_is_stored_reads_back_as_it_was_and_fits_the_schema(loss: Any) -> None:
    train = with_loss(loss, **CLASSES).train
    stored = yaml.safe_load(yaml.safe_dump(train.model_dump(mode="json", exclude_defaults=True)))
    again = with_loss(stored["loss"], **CLASSES).train
    assert fingerprint(again) == fingerprint(train)
    read, given = (sorted(each.loss or (), key=lambda term: term.name) for each in (again, train))
    assert read == given
    for written in (loss, stored["loss"]):
        assert said_wrong(yaml.safe_dump({"train": {"loss": written}})) == []


def test_null_is_cross_entropy_and_dice() -> None:
    experiment = with_loss(None)
    assert experiment.losses(experiment.train) == (Bce(name="bce"), Dice(name="dice"))
    exclusive = with_loss(None, **EXCLUSIVE)
    assert [each.name for each in exclusive.losses(exclusive.train)] == ["ce", "dice"]


def test_weights_by_name_stand_in_the_order_of_the_classes() -> None:
    experiment = with_loss({"name": "bce", "class_weights": {"sky": 3, "road": 0}}, **CLASSES)
    (term,) = experiment.losses(experiment.train)
    assert isinstance(term, Bce) and term.class_weights == (0, 1, 3)


@pytest.mark.parametrize(
    ("loss", "says"),
    [
        ({"dise": 1}, "train.loss: unknown loss 'dise'; the nearest names are dice"),
        ("dise", "train.loss: 'dise': unknown loss 'dise'; the nearest names are dice"),
        ([{"name": "tversk", "alpha": 7}], "unknown loss 'tversk'; the nearest names are tversky"),
        ([{"name": "tversky", "alfa": 1}], "train.loss[0].alfa: no such key; did you mean alpha?"),
        (["bce", {"name": "dice", "alpha": 1}], "train.loss[1].alpha: no such key; valid: batch, "),
        ({"name": "dice", "bach": True}, "train.loss.bach: no such key; did you mean batch?"),
        ([{"name": "boundary", "alpha": 1}], "train.loss[0].alpha: no such key; valid: name, we"),
        ({"name": "tversky", "alpha": 2}, "train.loss.alpha: 2: should be less than or equal to 1"),
        ([{"name": "bce", "topk": 0}], "train.loss[0].topk: 0: should be greater than or equal"),
        ([{"name": "bce", "topk": 10}], "train.loss[0].topk: 10: should be less than or equal"),
        ([{"name": "bce", "smoothing": 1}], "train.loss[0].smoothing: 1: should be less than 1"),
        ([{"name": "focal", "gamma": -1}], "train.loss[0].gamma: -1: should be greater"),
        (
            [{"name": "focal", "gamma": float("nan")}],
            "train.loss[0].gamma: nan: should be a finite",
        ),
        ([{"name": "cldice", "iterations": 2.5}], "train.loss[0].iterations: 2.5: should be a val"),
        ([{"name": "focal", "gamma": True}], "train.loss[0].gamma: True: true is not a number"),
        ({"name": "tversky", "alpha": 0, "beta": 0}, "alpha and beta are both 0"),
        ({"bce": 0}, "train.loss.bce: 0: a loss of no weight does nothing; leave it out"),
        ([{"name": "bce", "weight": 0.0}], "train.loss[0].weight: 0.0: a loss of no weight"),
        ({"bce": -1}, "train.loss.bce: -1: should be greater than"),
        ({"tversky": {"alpha": 0.3}}, "parameters need a list, such as [{name: tversky"),
        (["bce", "bce"], "bce stands twice"),
        ([{"bce": 1}], "{'bce': 1}: must be a name, or a mapping with one: {name: tversky"),
        ([], "at least one loss"),
        (["bce"] * 21, "at most 20"),
        (3, "train.loss: 3: must be a name, {name: weight}, or a list"),
        ({"name": 3}, "train.loss.name: 3: should be text"),
        ({3: 1}, "should be text"),
    ],
    ids=str,
)
def test_what_is_wrong_is_said_once_with_its_key(loss: Any, says: str) -> None:
    assert says in mistake(loss)


@pytest.mark.parametrize(
    ("loss", "blocks", "says"),
    [
        ("ce", {}, "train.loss: ce is for exclusive classes (data.multiclass: true); use bce"),
        ({"name": "bce", "class_weights": [1, 2]}, CLASSES,
         "bce: class_weights has 2 values for 3 classes (road, car, sky)"),
        ({"name": "ce", "class_weights": {"cat": 2}}, EXCLUSIVE,
         "ce: class_weights names no class 'cat'; did you mean car?"),
        ({"name": "bce", "class_weights": [0, 0, 0]}, CLASSES, "class_weights sum to zero"),
        ({"name": "bce", "class_weights": {"road": 0, "car": 0, "sky": 0}}, CLASSES,
         "bce: class_weights sum to zero"),
        ({"name": "bce", "class_weights": [1, -1, 1]}, CLASSES, "class_weights[1]: -1: "),
        ({"name": "bce", "class_weights": []}, CLASSES, "class_weights: []: "),
        ({"name": "focal", "alpha": 0.3}, EXCLUSIVE, "alpha of focal is for classes that may ov"),
    ],
    ids=str,
)  # fmt: skip
def test_what_does_not_fit_the_classes_is_said(loss: Any, blocks: Any, says: str) -> None:
    assert says in mistake(loss, **blocks)


def test_a_models_own_loss_is_named_with_the_model() -> None:
    model = {"decoder": "unet", "encoder": "vgg16"}
    own = {**model, "train": {"loss": "ce"}}
    assert mistake(None, models={"a": model, "b": own}).startswith("models.b.train.loss: ce is ")
    assert mistake("ce", models={"a": model, "b": model}).startswith("train.loss: ce is ")


def test_names_of_blocks_are_names_of_losses() -> None:
    from pipeline.models.losses import LOSSES

    names = [kind.model_json_schema()["properties"]["name"]["const"] for kind in PARAMETRISED]
    assert set(names) <= set(LOSSES) and len(set(names)) == len(names)


@pytest.mark.parametrize(
    "loss", [{"name": "dice", "bach": 1}, {"bce": -1}, {"name": "tversky", "alpha": 2}, [3], []]
)
def test_the_schema_finds_slips_in_losses(loss: Any) -> None:
    assert said_wrong(yaml.safe_dump({"train": {"loss": loss}}))
