"""All mistakes in one message: key, value, nearest valid name; each told once, where it is."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.config import build_experiment
from pipeline.errors import ConfigError
from tests.helpers.experiments import experiment, raw

WORDS = (
    "name", "data", "models", "train", "infer", "ensemble", "submission", "folds", "classes",
    "masks", "csv", "key", "group", "loss", "tile", "augment", "metric", "weights", "threshold",
    "size", "resize", "test", "void", "workers", "a", "b",
)  # fmt: skip
KEYS = st.sampled_from(WORDS)
MODEL = {"decoder": "unet", "encoder": "vgg16"}
TWO_TESTED = {"classes": ["a", "b"], "test": "test/{id}.png"}
EXCLUSIVE = {
    "data": {"classes": ["a", "b"], "multiclass": True},
    "submission": {"rows": "class", "key": "{id}_{class}"},
}


def mistakes(checks: Any = None, **blocks: Any) -> list[str]:
    """The lines of the error that an experiment gives."""
    with pytest.raises(ConfigError) as caught:
        build_experiment(raw(**blocks), source="x.yaml", checks=checks)
    first, *lines = str(caught.value).splitlines()
    assert first == f"x.yaml has {len(lines)} mistake(s):"
    return [line.strip() for line in lines]


def test_all_mistakes_come_in_one_message() -> None:
    lines = mistakes(
        trian={"lr": 1},
        train={"epochs": 0, "precision": "fp3", "lr": "fast", "lrr": 1},
        folds={"count": "five"},
        data={"rott": "x", "classes": {"car": "red"}, "group": "("},
        models={"b": {"decoder": "unet"}, "c/d": MODEL},
        metric=3,
        submission={"rows": "clas"},
    )
    found = "\n".join(lines)
    assert len(lines) == 13
    for expected in [
        "trian: no such key; did you mean train or track?",
        "train.epochs: 0: should be greater than or equal to 1",
        "train.precision: 'fp3': should be 'auto', 'fp32', 'bf16' or 'fp16'; did you mean",
        "train.lr: 'fast': should be a valid number",
        "train.lrr: no such key; did you mean lr?",
        "folds.count: 'five': should be a valid integer",
        "data.rott: no such key; did you mean root",
        "data.classes.car: 'red': should be a valid integer",
        "data.group: '(': not a regular expression",
        "models.b.encoder: is required",
        "models.c/d: 'c/d': ",
        "metric: 3: should be text; put it in quotes or should be a block of keys",
        "submission.rows: 'clas': should be 'image', 'class' or 'instance'; did you mean class?",
    ]:
        assert expected in found, expected


def test_a_mistake_in_a_global_block_is_told_once_and_there() -> None:
    train = {"augment": {"rotat": 1}, "lrr": 1, "epochs": "x"}
    lines = mistakes(models={"a": MODEL, "b": {**MODEL, "train": {"lr": 1}}}, train=train)
    assert sorted(line.split(":")[0] for line in lines) == [
        "train.augment.rotat", "train.epochs", "train.lrr",
    ]  # fmt: skip


def test_a_models_own_mistake_is_told_at_the_model() -> None:
    own = {"lrr": 1, "augment": {"rotate": 3}}
    lines = mistakes(
        models={"a": MODEL, "b": {**MODEL, "train": own, "infer": {"tile": {"overlap": 0.1}}}},
        train={"augment": {"rotat": 1}},
    )
    assert lines == [
        "models.b.train.lrr: no such key; did you mean lr?",
        "models.b.infer.tile.size: is required",
        "train.augment.rotat: no such key; did you mean rotate?",
    ]


def test_the_same_mistake_in_both_places_is_told_for_both() -> None:
    lines = mistakes(models={"a": {**MODEL, "train": {"epochs": -1}}}, train={"epochs": -2})
    assert [line.split(": ")[:2] for line in lines] == [
        ["models.a.train.epochs", "-1"], ["train.epochs", "-2"],
    ]  # fmt: skip


@pytest.mark.parametrize("block", ["data", "models", "train", "infer", "folds", "submission"])
@pytest.mark.parametrize("value", [5, "text", [1, 2], True])
def test_a_block_that_is_none_is_called_so(block: str, value: object) -> None:
    (line,) = [each for each in mistakes(**{block: value}) if each.startswith(f"{block}:")]
    assert line == f"{block}: {value!r}: should be a block of keys"


def test_a_null_block_that_is_needed_is_missing() -> None:
    assert mistakes(data=None) == ["data: is required"]
    assert mistakes(models={"a": None}) == ["models.a: None: should be a block of keys"]


def test_of_a_value_with_several_types_the_fitting_one_speaks() -> None:
    assert mistakes(data={"masks": {"cvs": "train.csv"}}) == [
        "data.masks.csv: is required",
        "data.masks.cvs: no such key; did you mean csv?",
    ]
    assert mistakes(data={"group": {"csv": "g.csv", "gruop": "b"}}) == [
        "data.group.gruop: no such key; did you mean group?"
    ]
    (line,) = mistakes(ensemble={"threshold": 3})
    assert line.startswith("ensemble.threshold: 3: should be 'search' or ")


def test_text_that_yaml_took_for_something_else_wants_quotes() -> None:
    lines = mistakes(data={"drop": [7, True]}, submission={"empty": -1})
    assert lines == [
        "data.drop[0]: 7: should be text; put it in quotes",
        "data.drop[1]: True: should be text; put it in quotes",
        "submission.empty: -1: should be text; put it in quotes",
    ]
    assert "class names must be strings; quote them" in mistakes(data={"classes": [True, False]})[0]


def test_keys_that_are_no_text_are_an_error_not_a_crash() -> None:
    lines = mistakes(models={1: {**MODEL, "train": {"lrr": 1}}}, **{"2": 3})
    assert "models.1: 1: should be text; put it in quotes" in lines
    assert "models.1.train.lrr: no such key; did you mean lr?" in lines


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 300) | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS | st.integers(), inner),
    max_leaves=6,
)


@settings(deadline=None, max_examples=150)
@given(st.dictionaries(KEYS, JSON, max_size=4), st.dictionaries(KEYS, JSON), JSON)
def test_whatever_yaml_can_say_is_taken_or_refused(top: Any, inner: Any, value: Any) -> None:
    for blocks in (top, {"train": inner}, {"models": {"a": inner, "b": value}}, {"data": inner}):
        try:
            build_experiment(raw(**blocks), source="x.yaml")
        except ConfigError as error:
            assert str(error).startswith("x.yaml has ")


def test_long_values_are_cut() -> None:
    assert all(len(line) < 400 for line in mistakes(train=[["x" * 1000] * 50] * 50))
    assert all(len(line) < 400 for line in mistakes(folds={"count": "9" * 10_000}))


def test_whoever_knows_a_kind_of_name_is_asked_and_answers_with_the_key() -> None:
    def refuse(value: object) -> None:
        if "bad" in str(value):
            raise ConfigError(f"{value} is not known; did you mean good?")

    kinds = ("decoder", "encoder", "loss", "tta", "metric", "step")
    lines = mistakes(
        dict.fromkeys(kinds, refuse),
        models={
            "a": {"decoder": "bad1", "encoder": "bad2"},
            "b": {**MODEL, "train": {"loss": {"bad3": 1}}},
        },
        train={"loss": {"bad4": 1, "good": 1, "bad5": 2}},
        infer={"tta": ["bad6"]},
        metric={"name": "bad7"},
        ensemble={"postprocess": ["bad8", "good", {"bad9": 1}]},
    )  # fmt: skip
    assert [line.split(": ")[0] for line in lines] == [
        "metric", "models.a.decoder", "models.a.encoder", "models.b.train.loss", "train.loss",
        "infer.tta", "ensemble.postprocess",
    ]  # fmt: skip
    text = "\n".join(lines)
    assert all(text.count(f"bad{n}") >= 1 for n in range(1, 10))
    assert "bad4 is not known; did you mean good?; bad5 is not known" in text


@pytest.mark.parametrize(
    ("blocks", "says"),
    [
        ({"ensemble": {"weights": {"b": 1}}}, "names ['b'], but the models are ['a']"),
        ({"ensemble": {"weights": {"a": 0}}}, "ensemble.weights sum to zero"),
        ({"ensemble": {"threshold": [0.1, 0.2]}}, "ensemble.threshold has 2 values for 1 classes"),
        ({"data": TWO_TESTED}, "submission.rows: image allows one class only"),
        (
            {"data": TWO_TESTED, "submission": {"rows": "instance"}},
            "submission.rows: instance allows one class only",
        ),
        ({"submission": {"rows": "class"}}, "the class in the key, such as key: '{id}_{class}'"),
        (
            {"submission": {"key": "{id}_{class}"}},
            "the class in the key, such as key: '{id}_{class}'",
        ),
        ({"folds": {"count": 2, "use": [0, 7]}}, "use: [0, 7]: folds are 0 to 1"),
        ({"folds": {"use": []}}, "use: []: folds are 0 to 4"),
        ({"submission": {"key": "x"}}, "must contain {id}"),
        ({"metric": {"beta": 2}}, "a mapping needs the key `name`"),
        ({"models": {"blend": MODEL}}, "blend: reserved name"),
        ({"models": {}}, "models: "),
        ({"train": {"loss": {}}}, "at least one loss"),
        ({"input": {"resize": 0}}, "a factor between 0.01 and 16"),
        ({"train": {"workers": -1}}, "0 to 256, or auto"),
        ({"train": {"lr": float("inf")}}, "train.lr: inf: should be a finite number"),
        ({"train": {"loss": {"bce": float("nan")}}}, "train.loss.bce: nan: "),
        ({"ensemble": {"threshold": float("nan")}}, "ensemble.threshold: nan: "),
        (
            {"models": {"a": MODEL, "b": {**MODEL, "infer": {"dtype": "uint16"}}}},
            "infer.dtype: a blend needs maps of one dtype, and the models have a uint8, b uint16",
        ),
        (
            {**EXCLUSIVE, "ensemble": {"postprocess": ["fill_holes"]}},
            "steps act on one class at a time, and data.multiclass",
        ),
        ({**EXCLUSIVE, "ensemble": {"threshold": [0.5, 0]}}, "no threshold may be 0"),
    ],
)
def test_what_does_not_fit_together_is_said(blocks: dict[str, Any], says: str) -> None:
    assert says in mistakes(**blocks)[0]


@pytest.mark.parametrize("name", ["a/b", "../x", ".hidden", "", "a b", "x" * 81, "-x"])
def test_names_become_folders_and_cannot_leave_theirs(name: str) -> None:
    assert mistakes(name=name)
    assert mistakes(models={name: MODEL})


def test_names_that_are_folders_are_taken() -> None:
    chosen = experiment(name="carvana-2.1_b", models={"resnet34-v2_x": MODEL})
    assert list(chosen.models) == ["resnet34-v2_x"]
    assert mistakes(models={"index.csv": MODEL})


def test_a_key_that_there_was_says_what_to_do_without_it() -> None:
    lines = mistakes(infer={"checkpoint": "best"})
    assert len(lines) == 1
    assert lines[0].startswith("infer.checkpoint: no such key; removed in 0.2: the weights after")


def test_keys_are_called_what_yaml_calls_them() -> None:
    """Also those whose names Python has taken."""
    assert mistakes(train={"validat": 1, "validate": {"evry": 2}}) == [
        "train.validate.evry: no such key; did you mean every?",
        "train.validat: no such key; did you mean validate?",
    ]
    assert experiment(train={"validate": None}).train.validate_.every == "auto"


def test_without_test_images_nothing_is_asked_of_a_submission() -> None:
    assert experiment(data={"classes": ["a", "b"]}).data.test is None
