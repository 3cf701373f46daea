"""The `data` block: classes, patterns, and what masks can and cannot say."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.config import DataConfig
from pipeline.errors import ConfigError
from tests.helpers.experiments import experiment

TWO = ["car", "bus"]
BY_CLASS = {"rows": "class", "key": "{id}_{class}"}
CSV = {"csv": "train.csv"}


def data(**keys: Any) -> DataConfig:
    several = len(keys.get("classes", ["car"])) > 1
    return experiment(data=keys, submission=BY_CLASS if several else {}).data


NAMES = st.text("abcdef_ ", min_size=1, max_size=8).filter(lambda name: name == name.strip())


@given(st.lists(NAMES, unique=True, min_size=1, max_size=9))
def test_listed_classes_count_from_one(names: list[str]) -> None:
    classes = data(classes=names).classes
    assert list(classes.items()) == [(name, place + 1) for place, name in enumerate(names)]


@pytest.mark.parametrize(
    ("key", "value"),
    [("columns", ["id", "r\nle"]), ("columns", ["i\rd", "rle"]), ("empty", "\n")],
)
def test_nothing_that_is_sent_breaks_a_line(key: str, value: Any) -> None:
    with pytest.raises(ConfigError, match="contains a line break"):
        experiment(submission={key: value})


def test_classes_may_be_numbers_or_say_their_values() -> None:
    assert data(classes=[1, 2, 3, 4]).class_names == ("1", "2", "3", "4")
    assert data(classes={"sky": 0, "road": 7}).classes == {"sky": 0, "road": 7}
    assert data(classes=["car"]).any_value
    assert not data(classes={"car": 8}).any_value
    assert not data(classes=TWO).any_value


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ({"classes": []}, "classes"),
        ({"classes": ["a", "a"]}, "listed twice"),
        ({"classes": [1, "1"]}, "listed twice"),
        ({"classes": ["\u00e9", "e\u0301"]}, "differ only in Unicode form"),
        ({"classes": {"\u00e9": 1, "e\u0301": 2}}, "differ only in Unicode form"),
        ({"classes": ["a\nb"]}, "a class name needs visible characters"),
        ({"masks": {**CSV, "key": "{id}\r"}}, "data.masks.key: .*contains a line break"),
        ({"classes": {"a": 1, "b": 1}}, "share a pixel value"),
        ({"classes": {"a": 1, "b": 2}, "void": 2}, "void: 2 is also the value of a class"),
        ({"multiclass": True}, "two classes or more"),
        ({"images": "train/*.jpg"}, "data.images: 'train/.*must contain {id}"),
        ({"masks": "m.png"}, "data.masks: 'm.png': must contain {id}"),
        ({"test": "test"}, "data.test: 'test': must contain {id}"),
        ({"reference": "r"}, "data.reference: 'r': must contain {id}"),
        ({"masks": {**CSV, "key": "x"}}, "data.masks.key: 'x': must contain {id}"),
        ({"images": "/train/{id}.jpg"}, "relative to data.root"),
        ({"images": "**/{id}.jpg"}, "`\\*\\*` is not supported"),
        ({"images": "{id}_{class}.jpg"}, "unknown placeholder {class}"),
        ({"masks": "{id}_{clas}.png"}, "unknown placeholder {clas}; known: {id}, {class}"),
        ({"group": "^car"}, "needs a capturing group in parentheses"),
        ({"masks": CSV, "classes": TWO}, "name the class of a row by {class} in masks.key, or by"),
        ({"masks": {**CSV, "key": "{id}{class}", "instances": True}, "classes": TWO}, "one class"),
        (
            {"masks": {**CSV, "key": "{id}{class}", "class": "c"}},
            "both key: '{id}{class}' and class",
        ),
        ({"ignore": "{id}_{band}.png"}, "unknown placeholder {band}; known: {id}"),
        ({"masks": {"table": "a.json"}}, "needs one of the keys csv, annotations, label_map, or a"),
        ({"masks": {"annotation": "a.json"}}, "no such key; did you mean annotations"),
        (
            {"masks": {"annotations": "a_*.json"}},
            "\\* without {id}; name one file, or one an image",
        ),
        ({"masks": {"annotations": "/a.json"}}, "must be a file below data.root"),
        (
            {"masks": {"annotations": "{id}{class}.json"}},
            "unknown placeholder {class}; known: {id}",
        ),
        ({"masks": {"annotations": "a.json", "format": "coc"}}, "did you mean coco"),
        (
            {"masks": {"annotations": "a.json", "clas": "x"}},
            "masks.clas: no such key; did you mean",
        ),
        (
            {"masks": {"annotations": "a.json", "format": "labelme"}},
            "labelme has one file an image",
        ),
        (
            {"masks": {"annotations": "a.json", "format": "via", "match": "id"}},
            "is of COCO, not of",
        ),
        (
            {"masks": {"annotations": "a.json", "format": "via"}, "classes": TWO},
            "via needs masks.class",
        ),
        (
            {"masks": {"annotations": "a.json", "format": "coco", "coordinates": "world"}},
            "is of GeoJSON, not of coco",
        ),
        (
            {"masks": {"annotations": "a.json", "format": "coco", "class": "x"}},
            "coco names classes",
        ),
        ({"masks": {"annotations": "a.json"}, "void": 255}, "void: 255 needs masks with one file"),
        ({"masks": CSV, "void": 255}, "void: 255 needs masks with one file"),
        ({"masks": "{id}/*.png", "void": 255}, "void: 255 needs masks with one file"),
        (
            {"masks": "{id}_{class}.png", "classes": TWO, "multiclass": True},
            "multiclass: true needs masks with one file",
        ),
    ],
)
def test_what_cannot_be_is_said(keys: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=says.replace("{", r"\{")):
        data(**keys)


def test_all_that_does_not_fit_is_said_at_once() -> None:
    with pytest.raises(ConfigError, match=r"share a pixel value; void: 1 .*; .* several classes"):
        data(classes={"a": 1, "b": 1}, void=1, masks=CSV)


def test_several_classes_may_lie_in_folders_with_any_name() -> None:
    assert data(classes=TWO, masks="*/masks/{id}.*", multiclass=True, void=255).void == 255
