"""Small folders in the layouts of competitions whose submissions are no plain run lengths, and of
data sets with many classes. Names of files, headers and keys are the genuine ones, sizes are not.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from itertools import product
from pathlib import Path

import cv2
import numpy as np
import tifffile
from numpy.typing import NDArray

from pipeline.data.rle import encode
from tests.helpers.competition_layouts import SIZE, disc, put, table

Pixels = NDArray[np.uint8]
TESTS = ("t1", "t2")


def tiff(path: Path, pixels: NDArray[np.generic]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    tifffile.imwrite(path, pixels, photometric=None if pixels.shape[-1] == 3 else "minisblack")


def _save(path: Path, array: NDArray[np.generic]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, array)


def kelp(root: Path) -> None:
    """Seven int16 bands, one after the other; a corner without data."""
    for at, each in enumerate([*(f"KW{number:06d}" for number in range(8)), "TA001", "TB002"]):
        image, mask = disc(at)
        scene = np.stack([image[..., band % 3] * np.int16(40 + band) for band in range(7)])
        scene[:, :4, :6] = -32768
        part = "test" if each.startswith("T") else "train"
        path = root / f"{part}_satellite/{each}_satellite.tif"
        path.parent.mkdir(parents=True, exist_ok=True)
        tifffile.imwrite(path, scene, photometric="minisblack", planarconfig="separate")
        if part == "train":
            tiff(root / f"train_kelp/{each}_kelp.tif", (mask > 0).astype(np.uint8))


def cloud_cover(root: Path) -> None:
    lines = []
    for at, each in enumerate([*(f"ad{letter}" for letter in "abcdefgh"), *TESTS]):
        image, mask = disc(at)
        part = "test" if each in TESTS else "train"
        for place, band in enumerate(("B02", "B03", "B04", "B08")):
            pixels = image[..., place % 3] * np.uint16(30)
            tiff(root / f"{part}_features/{each}/{band}.tif", pixels)
        if part == "train":
            tiff(root / f"train_labels/{each}.tif", (mask > 0).astype(np.uint8))
            lines.append(f"{each},city {at // 2},2020-04-29T08:20:47Z,az://./train_features/{each}")
    table(root / "train_metadata.csv", "chip_id,location,datetime,cloudpath", *lines)


def flood(root: Path) -> None:
    chips = [f"{event}{number:02d}" for event in ("awc", "hxu", "kuo", "qus") for number in (0, 1)]
    for at, each in enumerate([*chips, "t1", "t2"]):
        image, mask = disc(at)
        part = "test" if each in TESTS else "train"
        for place, band in enumerate(("vv", "vh")):
            pixels = image[..., place].astype(np.float32) / 8 - 30
            tiff(root / f"{part}_features/{each}_{band}.tif", pixels)
        if part == "train":
            label = (mask > 0).astype(np.uint8)
            label[:, :3] = 255
            tiff(root / f"train_labels/{each}.tif", label)


def surface(root: Path) -> None:
    lines = []
    for at, each in enumerate(["11001", "22002", "33003", "44004", "66006", *TESTS]):
        slices = [disc(10 * at + number) for number in range(4)]
        scan = np.stack([image[..., 0] for image, _ in slices])
        part = "test" if each in TESTS else "train"
        tiff(root / f"{part}_images/{each}.tif", scan)
        if part == "train":
            label = np.stack([mask for _, mask in slices])  # 1, and 2 that counts nowhere
            tiff(root / f"train_labels/{each}.tif", label)
            lines.append(f"{each},{26002 + at}")
    tiff(root / "train_images/55005.tif", scan)
    table(root / "train.csv", "id,scroll_id", *lines, "55005,26003")


def forgery(root: Path) -> None:
    for at in range(8):
        image, mask = disc(at)
        put(root / f"train_images/forged/{at + 10}.png", image)
        put(root / f"train_images/authentic/{at + 10}.png", disc(at + 20)[0])
        copies = np.stack([mask == 1, mask == 2]).astype(np.uint8)
        _save(root / f"train_masks/{at + 10}.npy", copies[: 1 + at % 2])
    put(root / "test_images/45.png", disc(30)[0])
    put(root / "test_images/46.png", disc(31)[0])
    table(root / "sample_submission.csv", "case_id,annotation", "46,authentic", "45,authentic")


def _outline(mask: Pixels) -> list[list[int]]:
    (outline, *_), _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    corners: list[list[int]] = outline[:, 0].tolist()
    return corners


def vasculature(root: Path) -> None:
    lines, tiles = [], []
    for at in range(10):
        image, mask = disc(at)
        each = f"{at:04x}ab39be27"
        tiff(root / f"train/{each}.tif", image)
        tiles.append(f"{each},{at // 2 + 1},1,10240,43008")
        if at == 9:  # most tiles of the genuine folder have no polygons
            continue
        kinds = ("blood_vessel", "glomerulus" if at % 3 else "unsure")
        entries = [
            {"type": kind, "coordinates": [_outline((mask == value).astype(np.uint8))]}
            for value, kind in zip((1, 2), kinds, strict=True)
        ]
        lines.append(json.dumps({"id": each, "annotations": entries}))
    (root / "polygons.jsonl").write_text("\n".join(lines) + "\n")
    table(root / "tile_meta.csv", "id,source_wsi,dataset,i,j", *tiles)
    for at, each in enumerate(("72e40acccadf", "t2")):
        tiff(root / f"test/{each}.tif", disc(at)[0])
    header = "id,height,width,prediction_string"
    asked = [f"{each},{SIZE[0]},{SIZE[1]}," for each in ("t2", "72e40acccadf")]
    table(root / "sample_submission.csv", header, *asked)


def stomachs(root: Path) -> None:
    names, lines, asked = ("large_bowel", "small_bowel", "stomach"), [], []
    days = [
        f"case{case}_day{day}" for case, day in ((2, 1), (2, 20), (7, 0), (9, 0), (11, 0), (15, 0))
    ]
    for (at, day), number in product(enumerate(days), (1, 2, 3)):
        image, mask = disc(5 * at + number)
        _slice(root / "train", day, number, image)
        planes = (mask == 1, mask == 2, mask > 3)
        if at == 0:
            planes = (mask == 1, mask > 3, mask == 2)
        lines += [
            f"{day}_slice_{number:04d},{name},{encode(plane, 'row')}"
            for name, plane in zip(names, planes, strict=True)
        ]
    table(root / "train.csv", "id,class,segmentation", *lines)
    for number in (1, 2):
        _slice(root / "test", "case101_day3", number, disc(number)[0])
        asked += [f"case101_day3_slice_{number:04d},{name}," for name in names]
    table(root / "sample_submission.csv", "id,class,predicted", *asked)


def _slice(root: Path, day: str, number: int, image: Pixels) -> None:
    name = f"slice_{number:04d}_{SIZE[1]}_{SIZE[0]}_1.50_1.50.png"
    path = root / day.partition("_")[0] / day / "scans" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), image[..., 0] * np.uint16(90))


def contrails(root: Path) -> None:
    for at in range(10):
        image, mask = disc(at)
        part, each = ("test", f"{9000 + at}") if at > 7 else ("train", f"{1000 + at}")
        for place, band in enumerate((11, 14, 15)):
            frames = np.repeat(image[..., place : place + 1].astype(np.float32), 8, axis=2) + 220
            _save(root / f"{part}/{each}/band_{band}.npy", frames)
        if part == "train":
            _save(
                root / f"{part}/{each}/human_pixel_masks.npy",
                (mask > 0)[..., None].astype(np.int32),
            )
    lines = ("record_id,encoded_pixels", "9009,1 1", "9008,1 1")
    table(root / "sample_submission.csv", *lines)


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
        outlines = [_outline((mask == value).astype(np.uint8)) for value in (1, 2)]
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
        outlines = [_outline((mask == value).astype(np.uint8)) for value in (1, 2)]
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


MORE_MINIATURES: dict[str, Callable[[Path], None]] = {
    "ade20k": ade,
    "camvid": camvid,
    "cloud-cover": cloud_cover,
    "coco-stuff": stuff,
    "coco-things": things,
    "contrails": contrails,
    "deepfashion2": fashion,
    "hubmap-vasculature": vasculature,
    "kelp": kelp,
    "recodai-forgery": forgery,
    "stac-overflow": flood,
    "uw-madison": stomachs,
    "vesuvius-surface": surface,
}
