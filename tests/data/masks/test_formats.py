"""The truth of a sample, from files of several kinds and from tables of run lengths."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.data import rle
from pipeline.data.catalog import Sample, list_samples
from pipeline.data.ground_truth import Truth
from pipeline.data.masks.registry import mask_format
from pipeline.errors import DataError
from tests.helpers.data_folders import CLASSES, config, palette_gif, save, smooth, write

SIZE = (7, 9)
BLOCK = np.zeros(SIZE, np.uint8)
BLOCK[2:5, 3:8] = 1
VALUES = np.random.default_rng(0).choice([0, 1, 2, 5], SIZE).astype(np.uint8)


def truth_of(root: Path, sample_id: str = "a", **keys: Any) -> Truth:
    """The truth of a sample whose image is drawn at SIZE."""
    if not (root / "images").is_dir():
        save(root / "images" / f"{sample_id}.png", smooth(*SIZE))
    data = config(root, **keys)
    sample = list_samples(data).by_id["train"][sample_id]
    return mask_format(data).read(sample.id, sample.masks, SIZE)


def planes_of(values: np.ndarray) -> np.ndarray:
    return np.stack([values == value for value in CLASSES.values()])


@pytest.mark.parametrize("inside", [1, 255, 7])
@pytest.mark.parametrize("kind", ["png", "gif", "tif", "bmp", "npy-like-16-bit.png"])
def test_one_class_is_whatever_is_not_zero(inside: int, kind: str, tmp_path: Path) -> None:
    values = BLOCK.astype(np.uint16) * 256 if "16" in kind else BLOCK * np.uint8(inside)
    if kind == "gif":
        write(tmp_path / "masks/a.gif", palette_gif(BLOCK))
    else:
        save(tmp_path / f"masks/a.{kind}", values)
    truth = truth_of(tmp_path, masks=f"masks/{{id}}.{kind}")
    assert truth.planes.dtype == np.uint8
    assert np.array_equal(truth.planes, BLOCK[None])
    assert truth.valid is None
    assert truth.instances is None
    assert truth.size == SIZE


def test_a_jpeg_mask_does_not_grow(tmp_path: Path) -> None:
    block = np.kron(BLOCK, np.ones((8, 8), np.uint8))
    save(tmp_path / "masks/a.jpg", block * np.uint8(255), quality=50)
    data = config(tmp_path, masks="masks/{id}.jpg")
    sample = Sample("a", tmp_path / "a.png", (tmp_path / "masks/a.jpg",))
    assert np.array_equal(
        mask_format(data).read(sample.id, sample.masks, block.shape).planes[0], block
    )


def test_one_class_with_a_value_of_its_own_is_that_value(tmp_path: Path) -> None:
    save(tmp_path / "masks/a.png", BLOCK * np.uint8(8))
    assert np.array_equal(truth_of(tmp_path, classes={"car": 8}).planes, BLOCK[None])
    save(tmp_path / "masks/a.png", BLOCK * np.uint8(7))
    with pytest.raises(DataError, match=r"a\.png holds the values 7"):
        truth_of(tmp_path, classes={"car": 8})


def test_several_classes_are_their_values(tmp_path: Path) -> None:
    save(tmp_path / "masks/a.png", VALUES)
    truth = truth_of(tmp_path, classes=CLASSES)
    assert np.array_equal(truth.planes, planes_of(VALUES))
    assert truth.valid is None


@pytest.mark.parametrize("gif", [False, True])
def test_strange_values_are_an_error_with_file_and_value(gif: bool, tmp_path: Path) -> None:
    values = VALUES.copy()
    values[0, 0], values[3, 3] = 3, 4
    name = "masks/a.gif" if gif else "masks/a.png"
    write(tmp_path / name, palette_gif(values)) if gif else save(tmp_path / name, values)
    with pytest.raises(
        DataError, match=rf"{name} holds the values 3, 4, which are neither in data"
    ):
        truth_of(tmp_path, classes=CLASSES, masks=name.replace("a.", "{id}."))


def test_void_counts_nowhere(tmp_path: Path) -> None:
    values = VALUES.copy()
    values[1, :4] = 255
    save(tmp_path / "masks/a.png", values)
    truth = truth_of(tmp_path, classes=CLASSES, void=255)
    assert truth.valid is not None
    assert np.array_equal(truth.valid, values != 255)
    assert np.array_equal(truth.planes, planes_of(values))
    alone = truth_of(tmp_path, void=255)
    assert np.array_equal(alone.planes[0], (values != 0) & (values != 255))


def test_exclusive_classes_fill_every_valid_pixel(tmp_path: Path) -> None:
    values = np.where(VALUES == 0, 9, VALUES).astype(np.uint8)
    save(tmp_path / "masks/a.png", values)
    keys: dict[str, Any] = {"classes": {**CLASSES, "sky": 9}, "multiclass": True}
    assert (truth_of(tmp_path, **keys).planes.sum(axis=0) == 1).all()
    save(tmp_path / "masks/a.png", VALUES)
    with pytest.raises(DataError, match=r"a\.png holds the values 0, which are neither in data"):
        truth_of(tmp_path, **keys)
    truth = truth_of(tmp_path, **keys, void=0)
    assert truth.valid is not None
    assert np.array_equal(truth.planes.sum(axis=0) == 1, truth.valid)


@pytest.mark.parametrize("keys", [{}, {"classes": CLASSES}, {"masks": "masks/{id}*.png"}])
def test_a_mask_of_another_size_names_both_sizes(keys: dict[str, Any], tmp_path: Path) -> None:
    save(tmp_path / "masks/a.png", np.zeros((9, 7), np.uint8))
    with pytest.raises(DataError, match=r"a\.png is 7×9, its image 9×7 \(width×height\)"):
        truth_of(tmp_path, **keys)


def test_a_missing_and_a_broken_mask_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"a: no mask matches masks/\{id\}\.png"):
        truth_of(tmp_path)
    write(tmp_path / "masks/a.png", b"")
    with pytest.raises(DataError, match=r"masks/a\.png is empty \(0 bytes\)"):
        truth_of(tmp_path)
    save(tmp_path / "masks/a.png", smooth(*SIZE))
    with pytest.raises(DataError, match=r"masks/a\.png is a colour image"):
        truth_of(tmp_path)


def test_instance_files_are_united_and_numbered(tmp_path: Path) -> None:
    first, second = BLOCK.copy(), np.zeros(SIZE, np.uint8)
    second[4:, 7:] = 1
    save(tmp_path / "masks/a/1.png", first * np.uint8(255))
    save(tmp_path / "masks/a/2.png", second)
    truth = truth_of(tmp_path, masks="masks/{id}/*.png")
    assert truth.instances is not None
    assert truth.instances.dtype == np.int32
    assert np.array_equal(truth.instances[0], np.where(first, 1, second * 2))
    assert np.array_equal(truth.planes[0], first | second)


def test_several_files_for_several_classes_are_an_error(tmp_path: Path) -> None:
    save(tmp_path / "masks/a.png", VALUES)
    keys: dict[str, Any] = {"classes": CLASSES, "masks": "masks/{id}.*"}
    assert np.array_equal(truth_of(tmp_path, **keys).planes, planes_of(VALUES))
    save(tmp_path / "masks/a.tif", VALUES)
    with pytest.raises(DataError, match=r"a: several masks \(.*a\.png, .*a\.tif\)"):
        truth_of(tmp_path, **keys)


def test_a_file_a_class(tmp_path: Path) -> None:
    save(tmp_path / "masks/a_cat.png", BLOCK)
    save(tmp_path / "masks/a_eel.png", (1 - BLOCK) * np.uint8(255))
    keys: dict[str, Any] = {"classes": CLASSES, "masks": "masks/{id}_{class}.png"}
    expected = [BLOCK, np.zeros(SIZE), 1 - BLOCK]
    assert np.array_equal(truth_of(tmp_path, **keys).planes, expected)
    save(tmp_path / "masks/a_fox.png", BLOCK)
    with pytest.raises(
        DataError, match=r"a_fox\.png belongs to no class in data\.classes \(cat, dog"
    ):
        truth_of(tmp_path, **keys)


def test_several_files_of_one_class_are_united(tmp_path: Path) -> None:
    upper, lower = BLOCK.copy(), BLOCK.copy()
    upper[3:], lower[:3] = 0, 0
    save(tmp_path / "masks/cat/a_1.png", upper)
    save(tmp_path / "masks/cat/a_2.png", lower)
    truth = truth_of(tmp_path, classes=CLASSES, masks="masks/{class}/{id}_*.png")
    assert np.array_equal(truth.planes[0], BLOCK)
    assert not truth.planes[1:].any()


def table(root: Path, rows: list[tuple[str, str]], header: str = "ImageId,EncodedPixels") -> None:
    write(root / "train.csv", "\n".join([header, *(f"{key},{text}" for key, text in rows)]) + "\n")


def in_table(**keys: Any) -> dict[str, Any]:
    return {"masks": {"csv": "train.csv", **keys}}


@settings(
    deadline=None, max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.integers(0, 10**6),
    st.sampled_from(["row", "column"]),
    st.booleans(),
    st.integers(1, 3),
    st.sampled_from([0.0, 0.4, 1.0]),
)
def test_rows_of_one_image_are_united(
    tmp_path: Path, seed: int, order: rle.Order, relative: bool, count: int, share: float
) -> None:
    masks = np.random.default_rng(seed).random((count, *SIZE)) < share
    table(tmp_path, [("a", rle.encode(mask, order, relative=relative)) for mask in masks])
    keys = in_table(order=order, relative=relative)
    assert np.array_equal(truth_of(tmp_path, **keys).planes[0], masks.any(axis=0))


def test_rows_of_no_image_are_listed(tmp_path: Path) -> None:
    table(tmp_path, [("a", "1 2"), ("b_car", "1 2"), ("c", "")])
    told = "row(s) match no training image or class:"
    reader = mask_format(config(tmp_path, **in_table()))
    assert reader.doubts(["a", "z"]) == [f"2 {told} b_car, c"]
    by_class = mask_format(config(tmp_path, **in_table(key="{id}_{class}"), classes=["car", "x"]))
    assert by_class.doubts(["b"]) == [f"2 {told} a, c"]
    assert mask_format(config(tmp_path)).doubts([]) == []


def test_the_header_and_the_placeholders_of_pneumothorax(tmp_path: Path) -> None:
    text = rle.encode(BLOCK, "column", relative=True)
    rows = [("a", f" {text}"), ("a", "1 2"), ("b", " -1"), ("c", "-1"), ("d", ""), ("../x", "1 1")]
    table(tmp_path, rows, header="ImageId, EncodedPixels")
    for name in "abcde":
        save(tmp_path / f"images/{name}.png", smooth(*SIZE))
    keys = in_table(relative=True)
    expected = BLOCK.copy()
    expected[1:3, 0] = 1
    assert np.array_equal(truth_of(tmp_path, "a", **keys).planes[0], expected)
    assert not any(truth_of(tmp_path, name, **keys).planes.any() for name in "bcd")
    with pytest.raises(DataError, match=r"train\.csv has no row 'e'"):
        truth_of(tmp_path, "e", **keys)


def test_a_row_an_object(tmp_path: Path) -> None:
    table(tmp_path, [("a.jpg", "1 3"), ("b.jpg", ""), ("a.jpg", "3 4")])
    for name in "ab":
        save(tmp_path / f"images/{name}.png", smooth(*SIZE))
    keys = in_table(key="{id}.jpg", instances=True)
    truth = truth_of(tmp_path, "a", **keys)
    assert truth.instances is not None
    assert truth.instances[0].ravel("F")[:8].tolist() == [1, 1, 1, 2, 2, 2, 0, 0]
    empty = truth_of(tmp_path, "b", **keys)
    assert empty.instances is not None
    assert not empty.instances.any()
    assert not empty.planes.any()


def test_a_row_a_class(tmp_path: Path) -> None:
    table(tmp_path, [("a.jpg_eel", "1 2"), ("a.jpg_cat", "63 1"), ("a.jpg_cat", "5 1")])
    truth = truth_of(tmp_path, classes=CLASSES, **in_table(key="{id}.jpg_{class}"))
    assert truth.planes.shape == (3, *SIZE)
    assert np.argwhere(truth.planes.reshape(3, -1)).shape == (4, 2)
    assert truth.planes[0, 6, 8] == 1
    assert truth.planes[2, :2, 0].tolist() == [1, 1]


def test_a_column_of_its_own_names_the_class(tmp_path: Path) -> None:
    """Severstal's and UW-Madison's tables: rows of what is there, several of one class united."""
    lines = ["a.jpg,eel,1 2", "a.jpg, cat,63 1", "a.jpg,cat,5 1", "b.jpg,eel,", "a.jpg,owl,1 1"]
    write(tmp_path / "train.csv", "\n".join(["ImageId,ClassId,EncodedPixels", *lines]) + "\n")
    keys = in_table(key="{id}.jpg", **{"class": "ClassId"})
    truth = truth_of(tmp_path, classes=CLASSES, **keys)
    assert np.argwhere(truth.planes.reshape(3, -1)).shape == (4, 2)
    assert truth.planes[0, 6, 8] == 1
    assert truth.planes[2, :2, 0].tolist() == [1, 1]
    reader = mask_format(config(tmp_path, classes=CLASSES, **keys))
    (doubt,) = reader.doubts(["a"])
    assert doubt.endswith(": a.jpg of class owl, b.jpg of class eel")
    one = truth_of(tmp_path, classes=["eel"], **keys)
    assert np.array_equal(one.planes[0], truth.planes[2])
    with pytest.raises(DataError, match=r"train\.csv has no column 'Label'"):
        truth_of(tmp_path, classes=CLASSES, **in_table(key="{id}.jpg", **{"class": "Label"}))


def test_runs_at_another_size_come_to_the_images(tmp_path: Path) -> None:
    table(tmp_path, [("a", rle.encode(np.kron(BLOCK, np.ones((3, 3), np.uint8)), "column"))])
    assert np.array_equal(truth_of(tmp_path, **in_table(size=[21, 27])).planes[0], BLOCK)


@pytest.mark.parametrize(
    ("text", "says"),
    [("1 2 3", "has no length"), ("60 9", "past the last"), ("x 1", "'x' is not a start"),
     ("5 2 1 1", "must be sorted"), ("0 1", "starts count from 1")],
)  # fmt: skip
def test_a_bad_row_names_table_row_and_run(text: str, says: str, tmp_path: Path) -> None:
    table(tmp_path, [("a", text)])
    with pytest.raises(DataError, match=rf"train\.csv, line 2, row 'a': run \d.*{says}"):
        truth_of(tmp_path, **in_table())


def test_a_table_is_read_once(tmp_path: Path) -> None:
    table(tmp_path, [("a", "1 3")])
    save(tmp_path / "images/a.png", smooth(*SIZE))
    data = config(tmp_path, **in_table())
    reader = mask_format(data)
    reader.expect([])
    (tmp_path / "train.csv").unlink()
    sample = list_samples(data).train[0]
    assert reader.read(sample.id, sample.masks, SIZE).planes.sum() == 3
    with pytest.raises(DataError, match=r"train\.csv is missing"):
        mask_format(data).expect([])
