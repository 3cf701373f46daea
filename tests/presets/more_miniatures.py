"""Small folders in the layouts of competitions whose submissions are no plain run lengths.

Names of files, headers and keys are the genuine ones, sizes are not.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import product
from pathlib import Path

import cv2
import numpy as np
import tifffile
from numpy.typing import NDArray

from pipeline.data.rle import encode
from tests.helpers.competition_layouts import SIZE, disc, put, table
from tests.presets.data_sets import DATA_SETS, outline_of

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
            lines.append(
                f"{each},city {at // 2 if at < 6 else at},2020-04-29T08:20:47Z,az://./train_features/{each}"
            )
    table(root / "train_metadata.csv", "chip_id,location,datetime,cloudpath", *lines)


def flood(root: Path) -> None:
    chips = [
        f"{event}{number:02d}" for event in ("awc", "hxu", "kuo", "qus", "tht") for number in (0, 1)
    ]
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
            {"type": kind, "coordinates": [outline_of((mask == value).astype(np.uint8))]}
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


MORE_MINIATURES: dict[str, Callable[[Path], None]] = {
    **DATA_SETS,
    "cloud-cover": cloud_cover,
    "contrails": contrails,
    "hubmap-vasculature": vasculature,
    "kelp": kelp,
    "recodai-forgery": forgery,
    "stac-overflow": flood,
    "uw-madison": stomachs,
    "vesuvius-surface": surface,
}
