"""The truth of a sample from files of annotation tools, whichever wrote them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.data.catalog import list_samples
from pipeline.data.ground_truth import Truth
from pipeline.data.masks.registry import mask_format
from pipeline.errors import DataError
from tests.helpers.annotations import WRITERS, Shape
from tests.helpers.data_folders import config, save, smooth, write
from tests.helpers.polygons import slow_polygon

SIZE = (24, 36)
TWO = ["cat", "dog"]
SHAPES = [
    Shape("cat", [(3.2, 2.1), (20.7, 4.4), (11, 17.3)]),
    Shape("dog", [(25, 3), (33.5, 3), (33.5, 20), (25, 20)]),
    Shape("cat", [(15, 8), (40, 9), (30, 30)]),
]


def truth_of(root: Path, masks: Any, sample_id: str = "a", **keys: Any) -> Truth:
    """The truth of a sample whose image is of SIZE."""
    if not (root / "images").is_dir():
        save(root / "images/a.png", smooth(*SIZE))
    data = config(root, masks=masks, **{"classes": TWO, **keys})
    sample = list_samples(data).by_id["train"][sample_id]
    return mask_format(data).read(sample.id, sample.masks, SIZE)


def expected_planes(shapes: list[Shape]) -> np.ndarray:
    planes = np.zeros((2, *SIZE), bool)
    for each in shapes:
        planes[TWO.index(each.name)] |= slow_polygon([np.array(each.points, float)], SIZE)
    return planes


@pytest.mark.parametrize("kind", sorted(WRITERS))
@pytest.mark.parametrize("told", [True, False])
def test_every_format_says_the_same(kind: str, told: bool, tmp_path: Path) -> None:
    masks = WRITERS[kind](tmp_path, {"a": SHAPES}, SIZE, TWO)
    if told:
        masks["format"] = kind.split("-")[0]
    truth = truth_of(tmp_path, masks)
    assert np.array_equal(truth.planes, expected_planes(SHAPES))
    assert truth.planes.dtype == np.uint8 and truth.valid is None and truth.notes == ()
    assert truth.instances is not None and truth.instances.dtype == np.int32
    assert np.array_equal(truth.instances > 0, truth.planes)
    assert [len(np.unique(plane)) - 1 for plane in truth.instances] == [2, 1]
    both = slow_polygon([np.array(SHAPES[0].points)], SIZE)
    assert (truth.instances[0][both] == 1).all(), "a pixel claimed twice is of the first"
    united = truth_of(tmp_path, {**masks, "instances": False})
    assert united.instances is None and np.array_equal(united.planes, truth.planes)


@pytest.mark.parametrize("kind", sorted(WRITERS))
def test_an_image_without_objects_is_empty(kind: str, tmp_path: Path) -> None:
    truth = truth_of(tmp_path, WRITERS[kind](tmp_path, {"a": [], "b": SHAPES}, SIZE, TWO))
    assert not truth.planes.any()


@pytest.mark.parametrize("kind", sorted(WRITERS))
def test_absence_is_not_emptiness_unless_that_is_said(kind: str, tmp_path: Path) -> None:
    masks = WRITERS[kind](tmp_path, {"b": SHAPES}, SIZE, TWO)
    says = "a: no file matches .*missing: empty" if "{id}" in masks["annotations"] else "list a"
    with pytest.raises(DataError, match=says):
        truth_of(tmp_path, masks)
    assert not truth_of(tmp_path, {**masks, "missing": "empty"}).planes.any()


@pytest.mark.parametrize("kind", sorted(set(WRITERS)))
@pytest.mark.parametrize("one", [True, False])
def test_an_unknown_class_names_its_annotation(kind: str, one: bool, tmp_path: Path) -> None:
    shapes = [*SHAPES, Shape("cow", [(30, 20), (34, 20), (34, 23)])]
    masks = WRITERS[kind](tmp_path, {"a": shapes}, SIZE, [*TWO, "cow"])
    called = "number 2" if kind == "yolo" else "cow"
    with pytest.raises(DataError, match=rf", \w+ \S*\b4\b.*: class '{called}.* not in data.*valid"):
        truth_of(tmp_path, masks)
    skipped = truth_of(tmp_path, {**masks, "others": "skip"})
    assert np.array_equal(skipped.planes, expected_planes(SHAPES)) and skipped.valid is None
    void = truth_of(tmp_path, {**masks, "others": "void"})
    assert void.valid is not None
    assert np.array_equal(~void.valid, slow_polygon([np.array(shapes[3].points)], SIZE))
    assert np.array_equal(void.planes, expected_planes(SHAPES) & void.valid)


@pytest.mark.parametrize("kind", sorted(WRITERS))
@pytest.mark.parametrize(
    ("points", "says"),
    [
        ([(1, 1), (5, 5)], "2 different point|are a box"),
        ([(1, 1), (5, 5), (1, 1), (5, 5)], "2 different point"),
        ([], "0 different point|no segmentation|no rings"),
        ([(1, 1), (float("nan"), 5), (7, 3)], "nan"),
        ([(1, 1), (float("inf"), 5), (7, 3)], "inf"),
        ([(1, 1), (1e300, 5), (7, 3)], "1e\\+300|no place|2.78e"),
    ],
)
def test_what_is_no_polygon_is_an_error_of_its_annotation(
    kind: str, points: list[tuple[float, float]], says: str, tmp_path: Path
) -> None:
    masks = WRITERS[kind](tmp_path, {"a": [SHAPES[0], Shape("dog", points)]}, SIZE, TWO)
    with pytest.raises(DataError, match=rf", \w+ \S*\b2\b[^:]*: .*({says})"):
        truth_of(tmp_path, masks)


@pytest.mark.parametrize("kind", sorted(WRITERS))
def test_what_lies_outside_is_said(kind: str, tmp_path: Path) -> None:
    away = [(-9, -9), (-2, -9), (-2, -2)]
    tiny = [(3.6, 3.6), (3.9, 3.6), (3.9, 3.9)]
    shapes = [SHAPES[1], Shape("dog", away), Shape("cat", tiny)]
    truth = truth_of(tmp_path, WRITERS[kind](tmp_path, {"a": shapes}, SIZE, TWO))
    assert np.array_equal(truth.planes, expected_planes(SHAPES[1:2]))
    outside, small = truth.notes
    assert "2" in outside and "outside the image" in outside
    assert "3" in small and "smaller than a pixel" in small


@pytest.mark.parametrize("kind", ["coco", "labelme"])
def test_a_file_about_an_image_of_another_size(kind: str, tmp_path: Path) -> None:
    masks = WRITERS[kind](tmp_path, {"a": SHAPES}, SIZE[::-1], TWO)
    with pytest.raises(DataError, match=r"is 24×36, its image 36×24 \(width×height\)"):
        truth_of(tmp_path, masks)


NOT_JSON: list[tuple[str, str]] = [
    ("", "is empty"),
    ("{", "line 1: a key in double quotes is missing; the file ends there"),
    ('{"images": [{"id": 1}, ', "the file ends there"),
    ('{\n"images": [{} {}]}', "line 2: ',' is missing"),
    ('{"a": tru}', "not JSON: line 1"),
    ('"text"', "not JSON with an object or a list"),
    ("[" * 200_000, "too deep|recursion"),
    ('{"a": 1} x', "something follows"),
    ("{}", "JSON of no known format"),
    ('{"a": 1}', r"of no known format \(at its top: 'a'\); set data.masks.format"),
    ("9" * 5000, "not JSON"),
    ('{"images": [], "annotations": []}', "not COCO: it has no 'categories'; at its top are imag"),
    ('{"images": [5], "annotations": [], "categories": []}', "an entry of 'images' is no object"),
    ('{"shapes": 5}', "has no list 'shapes'"),
    ('{"x": {"filename": 5, "regions": []}}', "not VIA"),
    ('{"type": "Topology", "features": 3}', "no FeatureCollection"),
]


@pytest.mark.parametrize(("content", "says"), NOT_JSON)
def test_a_file_that_is_none_is_one_clear_error(content: str, says: str, tmp_path: Path) -> None:
    write(tmp_path / "labels/a.json", content)
    with pytest.raises(DataError, match=says) as caught:
        truth_of(tmp_path, {"annotations": "labels/{id}.json", "class": "class"})
    assert "labels/a.json" in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["coco", "labelme", "via", "geojson"])
@pytest.mark.parametrize("content", ["[]", "5", '{"a": 1}', "[1, {}]", "null", "\xff\xfe{"])
def test_a_named_format_is_no_excuse(name: str, content: str, tmp_path: Path) -> None:
    write(tmp_path / "labels/a.json", content.encode("latin-1"))
    masks = {"annotations": "labels/{id}.json", "format": name}
    masks |= {"class": "class"} if name in ("via", "geojson") else {}
    if (name, content) == ("geojson", "[]"):
        return
    with pytest.raises(DataError, match=r"labels/a\.json"):
        truth_of(tmp_path, masks)


def test_a_format_of_one_image_needs_a_file_an_image(tmp_path: Path) -> None:
    write(tmp_path / "all.json", json.dumps({"shapes": []}))
    with pytest.raises(DataError, match=r"all\.json is labelme, which has one file an image; put"):
        truth_of(tmp_path, {"annotations": "all.json"})


def mangled(kind: str) -> Callable[[Any, np.random.Generator], Any]:
    """A function that replaces one value somewhere in a JSON."""
    odd = [None, True, "x", -1, 1e400, [], {}, [[]], {"a": []}, 10**400, ["1", "2"], "é" * 5]

    def mangle(value: Any, random: np.random.Generator) -> Any:
        if isinstance(value, dict) and value and random.random() < 0.95:
            key = list(value)[random.integers(len(value))]
            return {**value, key: mangle(value[key], random)}
        if isinstance(value, list) and value and random.random() < 0.95:
            at = int(random.integers(len(value)))
            return [*value[:at], mangle(value[at], random), *value[at + 1 :]]
        return odd[random.integers(len(odd))]

    return mangle


@pytest.mark.parametrize("kind", ["coco", "labelme", "via", "geojson"])
def test_whatever_is_in_a_file_is_a_truth_or_one_error(kind: str, tmp_path: Path) -> None:
    """Each file of a format with one value replaced by something else."""
    masks = WRITERS[kind](tmp_path, {"a": SHAPES}, SIZE, TWO)
    path = tmp_path / masks["annotations"].replace("{id}", "a")
    content, random = json.loads(path.read_text()), np.random.default_rng(0)
    save(tmp_path / "images/a.png", smooth(*SIZE))
    for _ in range(80):
        text = json.dumps(mangled(kind)(content, random))
        path.write_text(text)
        try:
            truth = truth_of(tmp_path, {**masks, "format": kind})
        except DataError as error:
            assert path.name in str(error) and len(str(error)) < 600, text
        else:
            assert truth.planes.shape == (2, *SIZE)
