"""COCO: run lengths as pycocotools writes them, crowds, and how images are found."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools import mask as coco

from pipeline.config import AnnotationFiles
from pipeline.data.catalog import list_samples
from pipeline.data.ground_truth import Truth
from pipeline.data.inspection import inspect
from pipeline.data.masks.annotations.coco import CocoFile
from pipeline.data.masks.annotations.coco_rle import decode, expand
from pipeline.data.masks.annotations.json_text import JsonText
from pipeline.data.masks.annotations.regions import RegionError
from pipeline.data.masks.registry import mask_format
from pipeline.errors import DataError
from tests.helpers.data_folders import config, save, smooth, write

SIZE = (24, 36)
BOX = [2, 1, 8, 1, 8, 6, 2, 6]


def write_coco(root: Path, *annotations: dict[str, Any], **keys: Any) -> dict[str, Any]:
    """A file about one image, `a.png`; keys replace parts of it."""
    content = {
        "images": [{"id": 1, "file_name": "a.png"}],
        "categories": [{"id": 1, "name": "car"}],
        "annotations": [
            {"id": at, "image_id": 1, "category_id": 1, **each}
            for at, each in enumerate(annotations, start=1)
        ],
    }
    write(root / "train.json", json.dumps({**content, **keys}))
    return {"annotations": "train.json"}


def truth_of(root: Path, masks: Any, sample_id: str = "a", **keys: Any) -> Truth:
    if not (root / "images").is_dir():
        save(root / f"images/{sample_id}.png", smooth(*SIZE))
    data = config(root, masks=masks, **keys)
    sample = list_samples(data).by_id["train"][sample_id]
    return mask_format(data).read(sample.id, sample.masks, SIZE)


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 10**6), st.sampled_from([0.0, 0.02, 0.5, 0.97, 1.0]), st.integers(1, 40))
def test_run_lengths_are_those_of_pycocotools(seed: int, share: float, height: int) -> None:
    mask = np.random.default_rng(seed).random((height, 17)) < share
    packed = coco.encode(np.asfortranarray(mask.view(np.uint8)))
    text = packed["counts"].decode()
    counts = expand(text)
    size = [height, 17]
    assert np.array_equal(decode({"size": size, "counts": text}, mask.shape), mask)
    assert np.array_equal(decode({"size": size, "counts": counts}, mask.shape), mask)
    assert coco.frPyObjects({"size": size, "counts": counts}, *size) == packed


def test_counts_of_a_large_image_are_read() -> None:
    mask = np.zeros((3000, 4000), np.uint8, order="F")
    mask[5:2900, 100:3900] = 1
    counts = coco.encode(mask)["counts"].decode()
    assert decode({"size": [3000, 4000], "counts": counts}, (3000, 4000)).sum() == mask.sum()


@pytest.mark.parametrize(
    ("segmentation", "says"),
    [
        ({"counts": [4]}, "of size None"),
        ({"size": [2, 3], "counts": [6]}, r"of size \[2, 3\], its image has \[height, width\] \[3"),
        ({"size": [3, 2], "counts": [5]}, "make 5 pixels, its image has 6"),
        ({"size": [3, 2], "counts": [7, -1]}, "not whole numbers"),
        ({"size": [3, 2], "counts": [1.5, 4.5]}, "not whole numbers"),
        ({"size": [3, 2], "counts": "6\x80"}, "a wrong letter"),
        ({"size": [3, 2], "counts": "o"}, "are cut"),
        ({"size": [3, 2], "counts": "o" * 99}, "a wrong letter"),
        ({"size": [3, 2]}, "not whole numbers"),
    ],
)
def test_run_lengths_that_are_none(segmentation: dict[str, Any], says: str) -> None:
    with pytest.raises(RegionError, match=says):
        decode(segmentation, (3, 2))


@pytest.mark.filterwarnings("ignore:__array__ implementation")
def test_parts_are_united_and_a_crowd_counts_nowhere(tmp_path: Path) -> None:
    """As pycocotools joins the parts of an object; whole pixels, where both draw the same."""
    parts = [BOX, [6, 4, 12, 4, 12, 9, 6, 9]]
    crowd = np.zeros(SIZE, np.uint8, order="F")
    crowd[4:20, 10:30] = 1
    packed = {"size": list(SIZE), "counts": coco.encode(crowd)["counts"].decode()}
    masks = write_coco(tmp_path, {"segmentation": parts}, {"segmentation": packed, "iscrowd": 1})
    truth = truth_of(tmp_path, masks)
    theirs = coco.decode(coco.merge(coco.frPyObjects(parts, *SIZE)))
    assert truth.valid is not None and truth.instances is not None
    assert np.array_equal(truth.valid, crowd == 0)
    assert np.array_equal(truth.planes[0], theirs * (crowd == 0))
    assert np.unique(truth.instances).tolist() == [0, 1]


@pytest.mark.parametrize(
    ("listed", "found"),
    [
        (["a.png"], 0),
        (["b.png", "train/images/a.png"], 1),
        (["images\\a.png"], 0),
        (["./a.jpg", "b.png"], 0),
        (["other/a.png", "images/a.png"], 1),
        (["a.jpg", "a.png"], 1),
        (["test/a.png", "valid/a.png"], "2 images may be a: test/a.png, valid/a.png"),
        (["A.png", "aa.png"], "does not list a; its images are A.png, aa.png"),
        ([], "does not list a; its images are none"),
    ],
)
def test_an_image_is_found_by_its_name(listed: list[str], found: Any, tmp_path: Path) -> None:
    images = [{"id": at, "file_name": name} for at, name in enumerate(listed)]
    shape = {"id": 5, "image_id": found, "category_id": 1, "segmentation": [BOX]}
    masks = write_coco(tmp_path, images=images, annotations=[shape])
    if isinstance(found, str):
        with pytest.raises(DataError, match=found):
            truth_of(tmp_path, masks)
    else:
        assert truth_of(tmp_path, masks).planes.sum() == 30


def test_a_name_goes_beyond_the_id(tmp_path: Path) -> None:
    save(tmp_path / "images/img_7_rgb.png", smooth(*SIZE))
    images = [{"id": 0, "file_name": "7.png"}, {"id": 1, "file_name": "img_7_rgb.png"}]
    masks = write_coco(tmp_path, {"segmentation": [BOX]}, images=images)
    for pattern in ("images/img_{id}_rgb.png", "images/img_{id}_*.png", "images/*_{id}_rgb.*"):
        assert truth_of(tmp_path, masks, "7", images=pattern).planes.sum() == 30


def test_a_name_may_be_that_of_a_band_or_the_id(tmp_path: Path) -> None:
    for name in ("7_red.png", "7.png"):
        save(tmp_path / "images/7_red.png", smooth(*SIZE)[..., 0])
        images = [{"id": 1, "file_name": name}]
        masks = write_coco(tmp_path, {"segmentation": [BOX]}, images=images)
        keys = {"images": "images/{id}_{band}.png", "bands": ["red"]}
        assert truth_of(tmp_path, masks, "7", **keys).planes.sum() == 30


def test_an_image_is_found_by_its_id_where_that_is_asked_for(tmp_path: Path) -> None:
    masks = write_coco(
        tmp_path, {"segmentation": [BOX]}, images=[{"id": 1, "file_name": "x/4711.png"}]
    )
    assert truth_of(tmp_path, {**masks, "match": "id"}, "1").planes.sum() == 30
    with pytest.raises(DataError, match=r"does not list 1; its images are x/4711\.png"):
        truth_of(tmp_path, masks, "1")


def test_a_file_of_other_images_names_both_sides(tmp_path: Path) -> None:
    masks = write_coco(tmp_path, images=[{"id": 1, "file_name": "x.png"}])
    save(tmp_path / "images/a.png", smooth(*SIZE))
    data = config(tmp_path, masks=masks)
    with pytest.raises(
        DataError, match=r"train\.json lists none of the training images: they are a, its own x\.pn"
    ):
        inspect(list_samples(data), data, {}, lambda _: None)


def test_what_nothing_refers_to_is_doubtful(tmp_path: Path) -> None:
    images = [{"id": at, "file_name": f"{name}.png"} for at, name in enumerate("abc")]
    lost = {"id": 9, "image_id": 99, "category_id": 1, "segmentation": [BOX]}
    masks = write_coco(tmp_path, images=images, annotations=[lost])
    save(tmp_path / "images/a.png", smooth(*SIZE))
    reader = mask_format(config(tmp_path, masks=masks, drop=["b"]))
    assert reader.doubts(["a"]) == [
        "1 annotation(s) are of images that it does not list, ids 99",
        "1 image(s) of train.json are no training images: c.png",
    ]


@pytest.mark.parametrize(
    ("annotation", "says"),
    [
        ({"bbox": [1, 2, 3, 4]}, "annotation 1: has no segmentation; a box alone is no mask"),
        ({"segmentation": []}, "annotation 1: has no segmentation"),
        ({"segmentation": [[1, 2, 3, 4, 5]]}, "annotation 1: has an odd count of coordinates, 5"),
        ({"segmentation": [BOX, [1, 2]]}, "annotation 1: has 1 different point"),
        (
            {"segmentation": [[1, 2, "3", 4, 5, 6]]},
            "annotation 1: a coordinate is '3', which is no",
        ),
        (
            {"segmentation": [BOX], "category_id": 3},
            "annotation 1: category_id is 3; the categories .* ids 1",
        ),
    ],
)
def test_an_annotation_that_is_none_is_named(
    annotation: dict[str, Any], says: str, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match=rf"train\.json, {says}"):
        truth_of(tmp_path, write_coco(tmp_path, annotation))


def test_a_class_is_found_whatever_its_number(tmp_path: Path) -> None:
    categories = [{"id": 18, "name": "bus"}, {"id": 3, "name": " car "}]
    shapes = [{"segmentation": [BOX], "category_id": number} for number in (3, 18)]
    masks = write_coco(tmp_path, *shapes, categories=categories)
    truth = truth_of(tmp_path, {**masks, "others": "skip"}, classes=["car"])
    assert truth.planes.sum() == 30
    with pytest.raises(DataError, match=r"annotation 2: class 'bus' is not in data\.classes"):
        truth_of(tmp_path, masks)


def test_a_large_file_takes_little_more_than_its_text(tmp_path: Path) -> None:
    """As values it would take some six times as much."""
    shape = {"segmentation": [np.round(np.linspace(1, 20, 200), 2).tolist()]}
    write_coco(tmp_path, *[shape] * 2000)
    size = (tmp_path / "train.json").stat().st_size
    tracemalloc.start()
    try:
        file = CocoFile.open(
            JsonText.read(tmp_path / "train.json"), AnnotationFiles(annotations="x")
        )
        kept, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(file.places["1"]) == 2000
    assert kept < 1.2 * size and peak < 2.5 * size
