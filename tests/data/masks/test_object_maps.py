"""Label maps whose numbers, or pages, are objects; arrays as masks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from pipeline.data.catalog import list_samples
from pipeline.data.ground_truth import Truth
from pipeline.data.masks.registry import mask_format
from pipeline.errors import ConfigError, DataError
from tests.helpers.data_folders import CLASSES, config, experiment, save, smooth, write
from tests.helpers.shared_data import shared_data

SIZE = (13, 17)
LABELS = np.zeros(SIZE, np.uint16)
LABELS[2:5, 3:8], LABELS[6:9, 3:8], LABELS[10:, 1:4] = 1, 300, 7


def truth_of(root: Path, masks: Any, **keys: Any) -> Truth:
    save(root / "images/a.png", smooth(*SIZE))
    data = config(root, masks=masks, **keys)
    (sample,) = list_samples(data).train
    return mask_format(data).read(sample.id, sample.masks, SIZE)


def store(path: Path, labels: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".tif":
        tifffile.imwrite(path, labels, compression="deflate", photometric="minisblack")
    elif path.suffix == ".npy":
        np.save(path, labels)
    elif path.suffix == ".npz":
        np.savez_compressed(path, labels=labels)
    else:
        Image.fromarray(labels).save(path)
    return path


@pytest.mark.parametrize(
    ("name", "dtype"),
    [
        ("a.tif", "uint16"), ("a.tif", "uint32"), ("a.tif", "int32"), ("a.tif", "float32"),
        ("a.png", "uint16"), ("a.npy", "int64"), ("a.npy", "float32"), ("a.npz", "uint64"),
    ],
)  # fmt: skip
def test_numbers_are_objects(name: str, dtype: str, tmp_path: Path) -> None:
    store(tmp_path / "labels" / name, LABELS.astype(dtype))
    truth = truth_of(tmp_path, {"label_map": name.replace("a.", "labels/{id}.")})
    assert truth.instances is not None and truth.instances.dtype == np.int32
    assert np.array_equal(truth.instances[0], LABELS)
    assert np.array_equal(truth.planes[0], LABELS > 0) and truth.valid is None


@pytest.mark.parametrize("name", ["a.tif", "a.npy", "a.npz"])
def test_numbers_beyond_the_free_memory_are_refused(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file of some kilobytes unpacks to a thousand times as many."""
    store(tmp_path / "labels" / name, LABELS)
    monkeypatch.setattr("pipeline.data.decoding_memory._SURELY_FIT", 100)
    monkeypatch.setattr("pipeline.data.decoding_memory.available_bytes", lambda: 500)
    with pytest.raises(DataError, match=rf"{name} takes .* of memory are free"):
        truth_of(tmp_path, {"label_map": name.replace("a.", "labels/{id}.")})


def test_large_numbers_are_told_apart(tmp_path: Path) -> None:
    large = np.where(LABELS > 0, LABELS.astype(np.int64) + 2**32 - 400, 0).astype(np.uint32)
    store(tmp_path / "labels/a.tif", large)
    truth = truth_of(tmp_path, {"label_map": "labels/{id}.tif"})
    assert truth.instances is not None
    assert np.unique(truth.instances).tolist() == [0, 1, 2, 3]
    assert all(len(np.unique(truth.instances[0][each == LABELS])) == 1 for each in (1, 7, 300))
    store(tmp_path / "labels/a.tif", large + np.uint32(5) * (large > 0) + np.uint32(1))
    truth = truth_of(tmp_path, {"label_map": "labels/{id}.tif"})
    assert truth.planes.all()


@pytest.mark.parametrize("name", ["a.tif", "a.npy", "a.npz"])
def test_pages_are_objects_where_that_is_said(name: str, tmp_path: Path) -> None:
    pages = np.stack([each == LABELS for each in (1, 7, 300)]).astype(np.uint8) * np.uint8(255)
    pages[1, 2, 3] = 255  # a pixel of the first page, too
    store(tmp_path / "labels" / name, pages)
    masks = {"label_map": name.replace("a.", "labels/{id}.")}
    with pytest.raises(DataError, match=rf"{name} holds 3×13×17 num.*data\.masks\.stack: objects"):
        truth_of(tmp_path, masks)
    truth = truth_of(tmp_path, {**masks, "stack": "objects"})
    assert truth.instances is not None
    expected = np.select([LABELS == 1, LABELS == 7, LABELS == 300], [1, 2, 3])
    assert np.array_equal(truth.instances[0], expected)


@pytest.mark.parametrize(
    ("name", "array", "says"),
    [
        ("a.npy", LABELS - 0.5, "that are no whole numbers"),
        ("a.npy", np.full(SIZE, np.nan), "that are no whole numbers"),
        ("a.tif", LABELS.astype(np.int32) - 4, "numbers below 0, down to -4"),
        ("a.npy", LABELS[:, :-1], "is 16×13, its image 17×13"),
        ("a.tif", np.zeros((*SIZE, 3), np.uint8), "several samples a pixel|3 num"),
        ("a.npy", np.zeros((2, 2, *SIZE)), "holds 2×2×13×17 numbers"),
        ("a.npy", np.zeros(SIZE, complex), "holds complex128, not numbers"),
        ("a.npy", np.zeros(SIZE, "U3"), "holds <U3, not numbers"),
        ("a.npy", np.array([{}]), "cannot be read as npy"),
    ],
)
def test_what_numbers_no_objects(name: str, array: Any, says: str, tmp_path: Path) -> None:
    path = tmp_path / "labels" / name
    path.parent.mkdir()
    np.save(path, array) if name == "a.npy" else tifffile.imwrite(path, array)
    with pytest.raises(DataError, match=rf"labels/{name} .*({says})"):
        truth_of(tmp_path, {"label_map": "labels/{id}.*"})


def test_an_order_of_axes_that_is_another(tmp_path: Path) -> None:
    store(tmp_path / "labels/a.npy", np.zeros((*SIZE, 5)))
    with pytest.raises(DataError, match="save it as N×H×W"):
        truth_of(tmp_path, {"label_map": "labels/{id}.npy", "stack": "objects"})


@pytest.mark.parametrize("name", ["a.tif", "a.npy", "a.npz", "a.png"])
@pytest.mark.parametrize(
    "content", [b"", b"II*\0\x08", b"\x93NUMPY\x01\0v", b"PK\x03\x04", b"x" * 99]
)
def test_a_damaged_file_is_one_error(name: str, content: bytes, tmp_path: Path) -> None:
    write(tmp_path / "labels" / name, content)
    with pytest.raises(DataError, match=rf"labels/{name} "):
        truth_of(tmp_path, {"label_map": name.replace("a.", "labels/{id}.")})


def test_an_archive_of_several_arrays_needs_a_name(tmp_path: Path) -> None:
    (tmp_path / "labels").mkdir()
    np.savez(tmp_path / "labels/a.npz", x=LABELS, image=np.zeros(SIZE))
    masks = {"label_map": "labels/{id}.npz"}
    with pytest.raises(DataError, match=r"a\.npz holds 2 arrays \(x, image\); name one"):
        truth_of(tmp_path, masks)
    with pytest.raises(DataError, match=r"a\.npz has no array 'y'; it holds x, image"):
        truth_of(tmp_path, {**masks, "array": "y"})
    assert truth_of(tmp_path, {**masks, "array": "x"}).planes.sum() == (LABELS > 0).sum()


def test_several_classes_have_no_label_map(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="its numbers are objects, so it allows one class only"):
        experiment(tmp_path, masks={"label_map": "{id}.png"}, classes=["a", "b"])


@pytest.mark.parametrize("name", ["a.npy", "a.npz"])
def test_arrays_are_masks_as_images_are(name: str, tmp_path: Path) -> None:
    """Also of a single channel, as the contrails of 2023 are."""
    values = np.random.default_rng(0).choice([0, 1, 2, 5], SIZE)
    pattern = name.replace("a.", "masks/{id}.")
    store(tmp_path / "masks" / name, values)
    several = truth_of(tmp_path, pattern, classes=CLASSES)
    assert np.array_equal(several.planes, [values == each for each in CLASSES.values()])
    store(tmp_path / "masks" / name, (values == 1)[..., None])
    one = truth_of(tmp_path, pattern)
    assert np.array_equal(one.planes[0], values == 1)
    store(tmp_path / "masks" / name, values[None])
    with pytest.raises(DataError, match=r"holds an array 1×13×17; a mask is H×W"):
        truth_of(tmp_path, pattern)


def test_real_nuclei_are_told_apart() -> None:
    folder = shared_data("formats")
    masks = {"label_map": "{id}_labels.tif"}
    flat = mask_format(config(folder, images="{id}_image.tif", masks=masks))
    truth = flat.read("nuclei2d", [folder / "nuclei2d_labels.tif"], (512, 512))
    stored = tifffile.imread(folder / "nuclei2d_labels.tif")
    assert truth.instances is not None and np.array_equal(truth.instances[0], stored)
    with pytest.raises(DataError, match=r"nuclei3d_labels\.tif holds 31×61×57 numbers"):
        flat.read("nuclei3d", [folder / "nuclei3d_labels.tif"], (61, 57))
