"""The map store: speed against plain memory maps, scale, and what each dtype and codec costs.

`python -m benchmarks.maps [folder] [--masks FOLDER]`: a folder on the disk to be measured (default:
that of temporary files), and that of the data set dsb2018, whose masks dtypes and codecs are
compared on. Ratios are medians over pairs of runs, one of ours after one of the other.
"""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from time import perf_counter
from typing import Any
from unittest import mock

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pipeline.config.choices import Codec, MapDtype
from pipeline.maps import MapShape, MapStore, disk
from pipeline.maps.quantise import dequantise, quantise

SIZE = (1280, 1918)
COUNT = 64
BATCH = 8
PAIRS = 9
IDS = [str(i) for i in range(COUNT)]
MEMBERS = 4
Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]
Mapped = np.memmap[tuple[int, ...], np.dtype[np.uint8]]
Row = tuple[float, float]
"""Seconds, and the share of copyto's rate."""
LAYOUTS: list[tuple[MapDtype, Codec]] = [
    ("uint8", "raw"),
    ("uint16", "raw"),
    ("float16", "raw"),
    ("uint8", "blosc2"),
    ("uint16", "blosc2"),
    ("float16", "blosc2"),
]


def timed(work: Callable[[], object]) -> float:
    start = perf_counter()
    work()
    return perf_counter() - start


def new_store(folder: Path, dtype: MapDtype = "uint8", codec: Codec = "raw") -> MapStore:
    shutil.rmtree(folder, ignore_errors=True)
    shapes = [MapShape(id, *SIZE) for id in IDS]
    return MapStore.create(folder, shapes, ["car"], fingerprint="f", dtype=dtype, codec=codec)


def in_batches(write: Callable[[list[str]], object]) -> None:
    for start in range(0, COUNT, BATCH):
        write(IDS[start : start + BATCH])


def new_memmap(path: Path) -> Mapped:
    """Space allocated as the store does it."""
    path.unlink(missing_ok=True)
    disk.allocate(path, COUNT * SIZE[0] * SIZE[1])
    return np.memmap(path, np.uint8, "r+", shape=(COUNT, 1, *SIZE))


def copy_batches(source: NDArray[np.uint8], target: Mapped) -> None:
    for start in range(0, COUNT, BATCH):
        np.copyto(target[start : start + BATCH], source[start : start + BATCH])
    target.flush()


def copy_each(maps: Iterable[NDArray[Any]], out: NDArray[np.uint8]) -> None:
    for each in maps:
        np.copyto(out, each)


def one_pair(folder: Path, floats: Floats, source: NDArray[np.uint8]) -> dict[str, Row]:
    """Everything once, on new files, with a new mapping for each reader."""
    target = new_memmap(folder / "target")
    plain = timed(lambda: copy_batches(source, target))
    rows = {"write, copyto": (plain, 1.0)}
    store = new_store(folder / "float")
    seconds = timed(lambda: in_batches(lambda ids: store.write({i: floats[int(i)] for i in ids})))
    rows["write, float32"] = (seconds, plain / seconds)

    out = np.empty((1, *SIZE), np.uint8)
    target = np.memmap(folder / "target", np.uint8, "r", shape=(COUNT, 1, *SIZE))
    store = MapStore.open(folder / "float")
    plain = timed(lambda: copy_each(target, out))
    rows["read, copyto"] = (plain, 1.0)
    for name, read in {
        "read, raw": lambda: copy_each(map(store.read_raw, IDS), out),
        "read, float32": lambda: [store.read(id) for id in IDS],
        "verify": lambda: list(store.verify()),
    }.items():
        seconds = timed(read)
        rows[name] = (seconds, plain / seconds)
    return rows


def measure_speed(folder: Path) -> None:
    floats = np.random.default_rng(0).random((COUNT, 1, *SIZE), dtype=np.float32)
    source = new_memmap(folder / "source")
    source[:] = quantise(floats, "uint8")
    runs = [one_pair(folder, floats, source) for _ in range(PAIRS + 1)][1:]  # the first warms up
    print(
        f"{COUNT} maps of {SIZE[0]}x{SIZE[1]} uint8 in {folder}; writes include the flush to disk"
    )
    for name in runs[0]:
        seconds, share = np.median([run[name] for run in runs], axis=0)
        print(f"  {name:<17} {source.nbytes / seconds / 1e9:6.2f} GB/s  {share:5.2f} of copyto")


def measure_scale(folder: Path) -> None:
    """A Carvana-sized store; its data file is sparse, since it would take 246 GB."""
    shapes = [MapShape(f"{i:06x}_{i % 16:02}", *SIZE) for i in range(100_064)]
    tiny = [MapShape(shape.id, 4, 4) for shape in shapes]

    def create(where: str, chosen: list[MapShape]) -> MapStore:
        return MapStore.create(folder / where, chosen, ["car"], fingerprint="f")

    with mock.patch.object(disk, "allocate", disk.make_sparse):
        rows = {"create": timed(lambda: create("scale", shapes))}
        rows["go on"] = timed(lambda: create("scale", shapes))
    rows["open"] = timed(lambda: MapStore.open(folder / "scale"))
    store = MapStore.open(folder / "scale")
    rows["pending"] = timed(store.pending)
    rows["claim all"] = timed(lambda: store.claim(store.ids).__enter__())
    little = create("tiny", tiny)
    maps = {id: np.zeros((1, 4, 4), np.float32) for id in little.ids}
    rows["write in one batch, 4x4"] = timed(lambda: little.write(maps))
    rows["verify, 4x4"] = timed(lambda: list(little.verify()))
    print(f"a store of {len(shapes):,} maps of {SIZE[0]}x{SIZE[1]} (sparse; 4x4 where it says so)")
    for name, seconds in rows.items():
        print(f"  {name:<24} {seconds:6.2f} s")


def soft_map(mask: Mask, seed: int) -> Floats:
    """A map as a network makes it: soft at borders, wrong in places, sure elsewhere."""
    noise = np.random.default_rng(seed).normal(size=mask.shape).astype(np.float32)
    border = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), 4) - 0.5
    logits = 14 * border + 40 * cv2.GaussianBlur(noise, (0, 0), 12)
    values: Floats = 1 / (1 + np.exp(-logits))
    return values[None]


def real_masks(data: Path, count: int) -> list[Mask]:
    """Nuclei of DSB 2018, brought to the size of a Carvana image."""
    masks = []
    for folder in sorted((data / "stage1_train").iterdir())[:count]:
        parts = [np.asarray(Image.open(path).convert("L")) for path in folder.glob("masks/*.png")]
        whole = np.max(np.stack(parts), axis=0)
        masks.append(cv2.resize(whole, SIZE[::-1], interpolation=cv2.INTER_LINEAR) > 127)
    return masks


def dice(values: Floats, mask: Mask, thresholds: NDArray[np.float64]) -> NDArray[np.float64]:
    chosen = [values > threshold for threshold in thresholds]
    both = np.array([np.count_nonzero(choice & mask) for choice in chosen])
    sizes = np.array([np.count_nonzero(choice) for choice in chosen])
    scores: NDArray[np.float64] = 2 * both / (sizes + np.count_nonzero(mask))
    return scores


def dice_changes(masks: list[Mask]) -> dict[MapDtype, NDArray[np.float64]]:
    """Change of the mean Dice of blends of stored maps against blends of float32 maps, at
    thresholds 0.5 and 0.05, 0.10 … 0.95.
    """
    thresholds = np.array([0.5, *np.arange(1, 20) / 20])
    changes: dict[MapDtype, list[NDArray[np.float64]]] = {"uint8": [], "uint16": [], "float16": []}
    for image, mask in enumerate(masks):
        members = [soft_map(mask, MEMBERS * image + member) for member in range(MEMBERS)]
        exact = dice(np.mean(members, axis=0)[0], mask, thresholds)
        for dtype, values in changes.items():
            stored = np.mean([dequantise(quantise(one, dtype)) for one in members], axis=0)[0]
            values.append(dice(stored, mask, thresholds) - exact)
    return {dtype: np.mean(values, axis=0) for dtype, values in changes.items()}


def one_layout(folder: Path, maps: list[Floats], dtype: MapDtype, codec: Codec) -> Row:
    """Maps a second, written and read."""
    store = new_store(folder / "layout", dtype, codec)
    write = timed(
        lambda: in_batches(lambda ids: store.write({i: maps[int(i) % len(maps)] for i in ids}))
    )
    return COUNT / write, COUNT / timed(lambda: [store.read(id) for id in IDS])


def measure_layouts(folder: Path, masks: list[Mask]) -> None:
    maps = [soft_map(mask, image) for image, mask in enumerate(masks)]
    changes = dice_changes(masks)
    print(f"{COUNT} soft maps of {SIZE[0]}x{SIZE[1]} from real masks, rates in maps/s;")
    print(
        f"change of mean Dice of {len(masks)} blends of {MEMBERS} at threshold 0.5 and at the worst"
    )
    print(
        f"  {'layout':<15} {'bytes/pixel':>11} {'write':>6} {'read':>6} "
        f"{'at 0.5':>10} {'worst':>10}"
    )
    for dtype, codec in LAYOUTS:
        rates = [one_layout(folder, maps, dtype, codec) for _ in range(3)]
        write, read = np.median(rates, axis=0)
        used = next((folder / "layout").glob("maps.*")).stat().st_blocks * 512
        worst = max(changes[dtype], key=abs)
        print(
            f"  {dtype + ' ' + codec:<15} {used / COUNT / np.prod(SIZE):11.3f} {write:6.0f} "
            f"{read:6.0f} {changes[dtype][0]:+10.6f} {worst:+10.6f}"
        )
    measure_npz(folder, maps)


def save_each(paths: list[Path], maps: list[Floats]) -> None:
    for path, values in zip(paths, maps, strict=True):
        np.savez_compressed(path, values)


def measure_npz(folder: Path, maps: list[Floats]) -> None:
    """A compressed float32 archive a map, as other stacks write them."""
    paths = [folder / f"{i}.npz" for i in range(len(maps))]
    write = timed(lambda: save_each(paths, maps))
    read = timed(lambda: [np.load(path)["arr_0"] for path in paths])
    used = sum(path.stat().st_size for path in paths) / len(maps) / np.prod(SIZE)
    rates = f"{len(maps) / write:6.1f} {len(maps) / read:6.1f}"
    print(f"  {'float32 .npz':<15} {used:11.3f} {rates} {0:+10.6f} {0:+10.6f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, nargs="?", help="on the disk to be measured")
    parser.add_argument("--masks", type=Path, help="folder of dsb2018; without it no layouts")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    measures: list[Callable[[Path], None]] = [measure_speed, measure_scale]
    if arguments.masks is not None:
        masks = real_masks(arguments.masks, 16)
        measures.append(lambda folder: measure_layouts(folder, masks))
    with tempfile.TemporaryDirectory(dir=arguments.folder) as name:
        os.sync()
        for measure in measures:
            folder = Path(name) / "measured"
            folder.mkdir()
            measure(folder)
            shutil.rmtree(folder)


if __name__ == "__main__":
    main()
