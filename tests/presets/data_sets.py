"""Small folders in the layouts of data sets with many classes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from tests.helpers.competition_layouts import SIZE, disc, put

Pixels = NDArray[np.uint8]


def outline_of(mask: Pixels) -> list[list[int]]:
    (outline, *_), _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    corners: list[list[int]] = outline[:, 0].tolist()
    return corners


def _blocks(mask: Pixels, values: Sequence[int]) -> Pixels:
    """The mask, and around it pairs of pixels of all these values."""
    painted = mask.copy()
    flat = painted.reshape(-1, 2)
    free = np.flatnonzero((flat == 0).all(axis=1))
    for at, value in zip(free, values, strict=False):
        flat[at] = value
    return painted


def camvid(root: Path) -> None:
    ids = [f"{film}_{frame:05d}" for film in ("Seq05VD", "0001TP", "0006R0") for frame in range(3)]
    for at, each in enumerate(ids):
        image, mask = disc(at)
        put(root / f"train/{each}.png", image)
        put(root / f"trainannot/{each}.png", _blocks(mask, [3, *range(3, 12)] * 9))
    for each in ("0016E5_00001", "0016E5_00002"):
        put(root / f"test/{each}.png", disc(3)[0])


def ade(root: Path) -> None:
    for at in range(6):
        image, mask = disc(at)
        each = f"ADE_train_{at + 1:08d}"
        put(root / f"images/training/{each}.jpg", image)
        put(root / f"annotations/training/{each}.png", _blocks(mask, range(3, 151)))
    for at in (1, 2):
        put(root / f"release_test/testing/ADE_test_{at:08d}.jpg", disc(at)[0])


def things(root: Path) -> None:
    """Each image has two things with outlines, and small ones of all other categories."""
    skipped = {12, 26, 29, 30, 45, 66, 68, 69, 71, 83}
    categories = [number for number in range(1, 91) if number not in skipped]
    names = _category_names(categories)
    images, annotations = [], []
    for at in range(6):
        image, mask = disc(at)
        each = f"{at + 9:012d}"
        put(root / f"train2017/{each}.jpg", image)
        images.append(
            {"id": at + 9, "file_name": f"{each}.jpg", "height": SIZE[0], "width": SIZE[1]}
        )
        outlines = [outline_of((mask == value).astype(np.uint8)) for value in (1, 2)]
        outlines += [_square(place) for place in range(len(categories) - 2)]
        for category, outline in zip(categories, outlines, strict=True):
            annotations.append(
                {
                    "id": len(annotations) + 1, "image_id": at + 9, "category_id": category,
                    "iscrowd": 0, "segmentation": [[n for point in outline for n in point]],
                }
            )  # fmt: skip
    content = {
        "images": images,
        "annotations": annotations,
        "categories": [
            {"id": number, "name": name} for number, name in zip(categories, names, strict=True)
        ],
    }
    path = root / "annotations/instances_train2017.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(content))
    _coco_tests(root)


def _square(place: int) -> list[list[int]]:
    y, x = divmod(place, 25)
    x, y = 2 * x, 2 * y
    return [[x, y], [x + 1, y], [x + 1, y + 1], [x, y + 1]]


def _category_names(categories: Iterable[int]) -> list[str]:
    """As the preset calls them, which has them from COCO's own file."""
    import yaml

    path = Path(__file__).parents[2] / "configs/presets/coco-things.yaml"
    classes = yaml.safe_load(path.read_text())["data"]["classes"]
    by_number = {number: name for name, number in classes.items()}
    return [by_number[number] for number in categories]


def _coco_tests(root: Path) -> None:
    images = []
    for number in (1, 16):
        each = f"{number:012d}"
        put(root / f"test2017/{each}.jpg", disc(number)[0])
        images.append({"id": number, "file_name": f"{each}.jpg"})
    path = root / "annotations/image_info_test2017.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"images": images, "categories": []}))


def stuff(root: Path) -> None:
    skipped = {11, 25, 28, 29, 44, 65, 67, 68, 70, 82, 90}
    numbers = [number for number in range(182) if number not in skipped]
    for at in range(6):
        image, mask = disc(at)
        each = f"{at + 9:012d}"
        put(root / f"train2017/{each}.jpg", image)
        painted = _blocks(mask, [*numbers, 255])
        put(root / f"stuffthingmaps/train2017/{each}.png", painted)
    _coco_tests(root)


def fashion(root: Path) -> None:
    names = (
        "short sleeve top", "long sleeve top", "short sleeve outwear", "long sleeve outwear",
        "vest", "sling", "shorts", "trousers", "skirt", "short sleeve dress", "long sleeve dress",
        "vest dress", "sling dress",
    )  # fmt: skip
    for at in range(6):
        image, mask = disc(at)
        put(root / f"train/image/{at + 1:06d}.jpg", image)
        outlines = [outline_of((mask == value).astype(np.uint8)) for value in (1, 2)]
        outlines += [_square(place) for place in range(11)]
        content: dict[str, object] = {"source": "user", "pair_id": at}
        for number, (name, outline) in enumerate(zip(names, outlines, strict=True), start=1):
            content[f"item{number}"] = {
                "segmentation": [[n for point in outline for n in point]], "category_name": name,
                "category_id": number, "style": 0, "scale": 2,
            }  # fmt: skip
        path = root / f"train/annos/{at + 1:06d}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content))
    for number in (1, 2):
        put(root / f"test/image/{number:06d}.jpg", disc(number)[0])


DATA_SETS: dict[str, Callable[[Path], None]] = {
    "ade20k": ade,
    "camvid": camvid,
    "coco-stuff": stuff,
    "coco-things": things,
    "deepfashion2": fashion,
}
