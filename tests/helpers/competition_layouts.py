"""Small folders in the layouts that competitions have, with two kinds of discs in them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pipeline.data.rle import encode

SIZE = (40, 56)
PALETTE = [0, 0, 0, 128, 0, 0, 0, 128, 0, *[0] * 756, 224, 224, 192]
Sample = tuple[NDArray[np.uint8], NDArray[np.uint8]]


def disc(seed: int) -> Sample:
    """HWC uint8 noise with two discs on it, and HW uint8: 0 outside, 1 and 2 inside them."""
    random = np.random.default_rng(seed)
    rows, columns = np.mgrid[: SIZE[0], : SIZE[1]]
    image = random.integers(0, 80, (*SIZE, 3))
    mask = np.zeros(SIZE, np.uint8)
    for value, centre in ((1, 0.28), (2, 0.72)):
        at = random.uniform(0.35, 0.65) * SIZE[0], (centre + random.uniform(-0.05, 0.05)) * SIZE[1]
        inside = np.hypot(rows - at[0], columns - at[1]) < random.uniform(5, 8)
        image[inside] += np.array([150, 70 * value, 150 - 60 * value])
        mask[inside] = value
    return image.clip(0, 255).astype(np.uint8), mask


def put(path: Path, pixels: NDArray[np.uint8], *, palette: bool = False) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(pixels)
    if palette:
        image.putpalette(PALETTE)
    image.save(path)


def table(path: Path, *lines: str) -> None:
    path.write_text("\n".join(lines) + "\n")


def _draw(ids: list[str]) -> Iterator[tuple[str, NDArray[np.uint8], NDArray[np.uint8]]]:
    for number, each in enumerate(ids):
        yield each, *disc(number)


def _test(root: Path, pattern: str, ids: list[str]) -> None:
    for each, image, _ in _draw(ids):
        put(root / pattern.replace("{id}", each), image)


def _names(start: str, count: int = 8) -> list[str]:
    return [f"{start}{number:03d}" for number in range(count)]


def carvana(root: Path) -> None:
    cars = [f"{car:02x}a9_{view:02d}" for car in range(6) for view in range(1, 4)]
    for each, image, mask in _draw(cars):
        put(root / f"train/{each}.jpg", image)
        put(root / f"train_masks/{each}_mask.gif", (mask > 0).astype(np.uint8))
    _test(root, "test/{id}.jpg", ["ffa9_01", "ffa9_02"])
    rows = ["img,rle_mask", "ffa9_01.jpg,1 1", "ffa9_02.jpg,1 1"]
    table(root / "sample_submission.csv", *rows)


def tgs(root: Path) -> None:
    ids = [f"{number * 7919 % 65521:04x}e" for number in range(1, 9)]
    for each, image, mask in _draw(ids):
        put(root / f"train/images/{each}.png", image)
        put(root / f"train/masks/{each}.png", ((mask > 0) * 255).astype(np.uint8))
    lines = [f"{each},{encode(mask > 0, 'column')}" for each, _, mask in _draw(ids)]
    table(root / "train.csv", "id,rle_mask", *lines)
    table(root / "depths.csv", "id,z", *(f"{each},{at % 3}" for at, each in enumerate(ids)))
    _test(root, "test/images/{id}.png", ["aaaa1", "bbbb2"])
    table(root / "sample_submission.csv", "id,rle_mask", "aaaa1,1 1", "bbbb2,1 1")


def dsb(root: Path) -> None:
    for each, image, mask in _draw(_names("n")):
        put(root / f"stage1_train/{each}/images/{each}.png", image)
        for value in (1, 2):
            name = f"stage1_train/{each}/masks/{each}{value}f.png"
            put(root / name, ((mask == value) * 255).astype(np.uint8))
    _test(root, "stage1_test/{id}/images/{id}.png", ["t1", "t2"])
    table(root / "stage1_sample_submission.csv", "ImageId,EncodedPixels", "t1,", "t2,")


def severstal(root: Path) -> None:
    lines = []
    for each, image, mask in _draw(_names("s", 12)):
        put(root / f"train_images/{each}.jpg", image)
        runs = [encode(mask == value, "column") for value in (1, 2)]
        lines += [f"{each}.jpg_1,{runs[0]}", f"{each}.jpg_2,{runs[1]}", f"{each}.jpg_3,"]
    lines[2] = f"s000.jpg_3,{encode(disc(0)[1] == 1, 'column')}"
    table(root / "train.csv", "ImageId_ClassId,EncodedPixels", *lines)
    _test(root, "test_images/{id}.jpg", ["t1", "t2"])
    asked = [f"{each}.jpg_{name}," for each in ("t1", "t2") for name in (1, 2, 3)]
    table(root / "sample_submission.csv", "ImageId_ClassId,EncodedPixels", *asked)


def airbus(root: Path) -> None:
    lines = []
    for each, image, mask in _draw(_names("a", 12)):
        put(root / f"train_v2/{each}.jpg", image)
        lines += [f"{each}.jpg,{encode(mask == value, 'column')}" for value in (1, 2)]
    table(root / "train_ship_segmentations_v2.csv", "ImageId,EncodedPixels", *lines)
    _test(root, "test_v2/{id}.jpg", ["t1", "t2"])
    table(root / "sample_submission_v2.csv", "ImageId,EncodedPixels", "t1.jpg,1 2", "t2.jpg,1 2")


def hubmap(root: Path) -> None:
    lines, patients = [], []
    for at, (each, image, mask) in enumerate(_draw(_names("h", 12))):
        put(root / f"train/{each}.tiff", image)
        lines.append(f"{each},{encode(mask > 0, 'column')}")
        patients.append(f"{each},{at // 2}")
    table(root / "train.csv", "id,encoding", *lines)
    table(root / "HuBMAP-20-dataset_information.csv", "id,patient_number", *patients)
    _test(root, "test/{id}.tiff", ["t1", "t2"])
    table(root / "sample_submission.csv", "id,predicted", "t1,", "t2,")


def camvid(root: Path) -> None:
    ids = [f"{video}_{frame:05d}" for video in ("Seq05VD", "0001TP") for frame in range(6)]
    for each, image, mask in _draw(ids):
        put(root / f"train/{each}.png", image)
        mask[:20][mask[:20] == 0] = 3
        mask[0] = 255
        put(root / f"trainannot/{each}.png", mask)
    for each, image, mask in _draw(["0016E5_00001", "0016E5_00002"]):
        put(root / f"test/{each}.png", image)
        put(root / f"testannot/{each}.png", mask)


def voc(root: Path) -> None:
    for each, image, mask in _draw([f"2007_{number:06d}" for number in range(8)]):
        put(root / f"JPEGImages/{each}.jpg", image)
        mask[:2] = 255
        put(root / f"SegmentationClass/{each}.png", mask, palette=True)
    (root / "ImageSets").mkdir()
    (root / "ImageSets/train.txt").write_text("2007_000000\n")


def class_folders(root: Path) -> None:
    for each, image, mask in _draw(_names("c")):
        put(root / f"images/{each}.png", image)
        for name, value in (("cat", 1), ("dog", 2)):
            put(root / f"masks/{name}/{each}.png", ((mask == value) * 255).astype(np.uint8))


def cityscapes(root: Path) -> None:
    for city in ("aachen", "bochum", "zurich"):
        ids = [f"{city}_{number:06d}_000019" for number in range(4)]
        for each, image, mask in _draw(ids):
            put(root / f"leftImg8bit/train/{city}/{each}_leftImg8bit.png", image)
            start = root / f"gtFine/train/{city}/{each}_gtFine"
            mask[:20][mask[:20] == 0] = 7
            put(Path(f"{start}_labelIds.png"), mask)
            colours = np.stack([mask * 30, mask, mask * 9], axis=2).astype(np.uint8)
            put(Path(f"{start}_color.png"), colours)
            put(Path(f"{start}_instanceIds.png"), (mask * 30).astype(np.uint8))
            Path(f"{start}_polygons.json").write_text("{}")


def references(root: Path) -> None:
    for each, image, mask in _draw(_names("r")):
        put(root / f"train/{each}.png", image)
        put(root / f"train_refs/{each}.png", disc(int(each[1:]) + 50)[0])
        put(root / f"train_masks/{each}.png", ((mask > 0) * 255).astype(np.uint8))
    _test(root, "test/{id}.png", ["t1", "t2"])
    _test(root, "test_refs/{id}.png", ["t1", "t2"])


def one_folder(root: Path) -> None:
    for each, image, mask in _draw(_names("")):
        put(root / f"{each}_sat.jpg", image)
        put(root / f"{each}_mask.png", ((mask > 0) * 255).astype(np.uint8))


def mixed_endings(root: Path) -> None:
    for at, (each, image, mask) in enumerate(_draw(_names("m"))):
        put(root / f"images/{each}{('.jpg', '.JPG', '.png')[at % 3]}", image)
        put(root / f"labels/{each}.png", mask)


def parts_in_names(root: Path) -> None:
    for each, image, mask in _draw(_names("train_")):
        put(root / f"images/{each}.png", image)
        put(root / f"masks/{each}.png", ((mask > 0) * 255).astype(np.uint8))
    _test(root, "images/{id}.png", ["test_001", "test_002"])
    rows = ["image;rle", "images/test_001.png;", "images/test_002.png;"]
    table(root / "submission_format.csv", *rows)


def silent_names(root: Path) -> None:
    for each, image, mask in _draw(_names("")):
        put(root / f"a/{each}.png", image)
        put(root / f"b/{each}.png", (mask > 0).astype(np.uint8))


def ink(root: Path) -> None:
    for each, image, mask in _draw(["1", "2", "3"]):
        put(root / f"train/{each}/layer.png", image)
        put(root / f"train/{each}/inklabels.png", ((mask > 0) * 255).astype(np.uint8))
    _test(root, "test/{id}/layer.png", ["a", "b"])
    table(root / "sample_submission.csv", "Id,Predicted", "a,1 1", "b,1 1")


LAYOUTS: dict[str, tuple[Callable[[Path], None], dict[str, Any], dict[str, Any]]] = {
    # name: what draws it, keys of `data`, keys of `submission` that it must be given
    "carvana": (
        carvana,
        {
            "images": "train/{id}.jpg", "masks": "train_masks/{id}_mask.gif",
            "test": "test/{id}.jpg", "group": "^([^_]+)_", "classes": ["object"],
        },
        {"sample": "sample_submission.csv", "key": "{id}.jpg", "order": "row", "rows": "image"},
    ),
    "tgs": (
        tgs,
        {
            "images": "train/images/{id}.png", "masks": "train/masks/{id}.png",
            "test": "test/images/{id}.png", "group": None, "classes": ["object"],
        },
        {"sample": "sample_submission.csv", "columns": ["id", "rle_mask"], "order": "column"},
    ),
    "dsb": (
        dsb,
        {
            "images": "stage1_train/{id}/images/{id}.png",
            "masks": "stage1_train/{id}/masks/*.png",
            "test": "stage1_test/{id}/images/{id}.png", "classes": ["object"],
        },
        {"columns": ["ImageId", "EncodedPixels"], "order": "column"},
    ),
    "severstal": (
        severstal,
        {
            "images": "train_images/{id}.jpg", "test": "test_images/{id}.jpg",
            "classes": ["1", "2", "3"],
            "masks": {
                "csv": "train.csv", "id": "ImageId_ClassId", "rle": "EncodedPixels",
                "order": "column", "key": "{id}.jpg_{class}",
            },
        },
        {"rows": "class", "key": "{id}.jpg_{class}", "order": "column"},
    ),
    "airbus": (
        airbus,
        {
            "images": "train_v2/{id}.jpg", "test": "test_v2/{id}.jpg", "classes": ["object"],
            "masks": {
                "csv": "train_ship_segmentations_v2.csv", "id": "ImageId",
                "rle": "EncodedPixels", "order": "column", "key": "{id}.jpg", "instances": True,
            },
        },
        {"sample": "sample_submission_v2.csv", "key": "{id}.jpg", "order": "column"},
    ),
    "hubmap": (
        hubmap,
        {
            "images": "train/{id}.tiff", "test": "test/{id}.tiff", "classes": ["object"],
            "masks": {"csv": "train.csv", "id": "id", "rle": "encoding", "order": "column"},
            "group": {"csv": "HuBMAP-20-dataset_information.csv", "group": "patient_number"},
        },
        {"columns": ["id", "predicted"], "order": "column"},
    ),
    "camvid": (
        camvid,
        {
            "images": "train/{id}.png", "masks": "trainannot/{id}.png", "test": "test/{id}.png",
            "group": "^([^_]+)_", "multiclass": True, "void": 255,
            "classes": {"class_0": 0, "class_1": 1, "class_2": 2, "class_3": 3},
        },
        {"rows": "class", "key": "{id}_{class}"},
    ),
    "voc": (
        voc,
        {
            "images": "JPEGImages/{id}.jpg", "masks": "SegmentationClass/{id}.png", "test": None,
            "multiclass": True, "void": 255,
            "classes": {"background": 0, "class_1": 1, "class_2": 2},
        },
        {"rows": "class"},
    ),
    "class folders": (
        class_folders,
        {
            "images": "images/{id}.png", "masks": "masks/{class}/{id}.png",
            "classes": ["cat", "dog"],
        },
        {"rows": "class"},
    ),
    "cityscapes": (
        cityscapes,
        {
            "images": "leftImg8bit/train/*/{id}_leftImg8bit.png",
            "masks": "gtFine/train/*/{id}_gtFine_labelIds.png",
            "classes": {"class_0": 0, "class_1": 1, "class_2": 2, "class_7": 7},
            "multiclass": True,
        },
        {"rows": "class"},
    ),
    "references": (
        references,
        {
            "images": "train/{id}.png", "masks": "train_masks/{id}.png", "test": "test/{id}.png",
            "reference": "train_refs/{id}.png", "test_reference": "test_refs/{id}.png",
        },
        {"columns": ["id", "rle_mask"]},
    ),
    "one folder": (one_folder, {"images": "{id}_sat.jpg", "masks": "{id}_mask.png"}, {}),
    "mixed endings": (
        mixed_endings,
        {
            "images": "images/{id}.*", "masks": "labels/{id}.png",
            "classes": ["class_1", "class_2"], "multiclass": False,
        },
        {},
    ),
    "parts in names": (
        parts_in_names,
        {
            "images": "images/train_{id}.png", "masks": "masks/train_{id}.png",
            "test": "images/test_{id}.png", "classes": ["object"],
        },
        {"sample": "submission_format.csv", "key": "images/test_{id}.png", "rows": "image"},
    ),
    "silent names": (silent_names, {"images": "a/{id}.png", "masks": "b/{id}.png"}, {}),
    "ink": (
        ink,
        {
            "images": "train/{id}/layer.png", "masks": "train/{id}/inklabels.png",
            "test": "test/{id}/layer.png",
        },
        {"columns": ["Id", "Predicted"], "order": "row"},
    ),
}  # fmt: skip
