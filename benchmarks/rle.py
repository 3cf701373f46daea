"""Mask to run-length text and back, against pycocotools: `python -m benchmarks.rle`.

Pairs of runs on one thread; each row gives the median of our time and of pycocotools', and the
median of the pairs' ratios (more than 1: ours is faster). pycocotools makes its own compressed
text, so its "string work" is what brings it to and from the same "start length …"; the row "C only"
leaves that work out on its side and keeps it on ours.
"""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter

import cv2
import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco

from pipeline.config.choices import RleOrder
from pipeline.data.rle import decode, encode

PAIRS = 31
ORDERS: tuple[RleOrder, ...] = ("row", "column")


def car_like(size: tuple[int, int], seed: int) -> NDArray[np.uint8]:
    """One big object with a frayed border and a few specks, HW 0/1."""
    height, width = size
    rows, columns = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    rough = np.random.default_rng(seed).normal(size=size)
    fray = cv2.GaussianBlur(rough, (0, 0), 3) * 2
    inside: NDArray[np.bool_] = ((rows / 0.6) ** 2 + (columns / 0.7) ** 2 + fray) < 1
    return inside.astype(np.uint8)


def coco_rle(mask: NDArray[np.uint8], order: RleOrder) -> bytes:
    """pycocotools' compressed counts."""
    scan = np.asfortranarray(mask) if order == "column" else mask.T
    counts: bytes = coco.encode(scan)["counts"]
    return counts


def coco_encode(mask: NDArray[np.uint8], order: RleOrder) -> str:
    """The same text as ours from pycocotools' compressed counts."""
    counts = unpacked(coco_rle(mask, order))
    ends = np.cumsum(counts)
    pairs = np.stack([ends[0::2][: len(counts) // 2] + 1, counts[1::2]], axis=1)
    return " ".join(map(str, pairs.reshape(-1).tolist()))


def unpacked(text: bytes) -> list[int]:
    """Counts from pycocotools' text: five bits a character, differences to two counts before."""
    counts: list[int] = []
    value = shift = 0
    for character in text:
        bits = character - 48
        value |= (bits & 31) << shift
        shift += 5
        if not bits & 32:
            if bits & 16:
                value -= 1 << shift
            counts.append(value + counts[-2] if len(counts) > 2 else value)
            value = shift = 0
    return counts


def coco_decode(text: str, size: tuple[int, int], order: RleOrder) -> NDArray[np.uint8]:
    numbers = np.array(text.split(), np.int64).reshape(-1, 2)
    gaps = numbers[:, 0] - 1
    gaps[1:] -= numbers[:-1].sum(axis=1) - 1
    counts = np.stack([gaps, numbers[:, 1]], axis=1).reshape(-1).tolist()
    counts.append(size[0] * size[1] - sum(counts))
    scan = size if order == "column" else size[::-1]
    mask = coco.decode(coco.frPyObjects({"counts": counts, "size": list(scan)}, *scan))
    return np.ascontiguousarray(mask if order == "column" else mask.T)


def paired(ours: Callable[[], object], theirs: Callable[[], object]) -> tuple[float, float, float]:
    """Medians in milliseconds of both, and of their ratio within a pair."""
    times = np.array([[timed(ours), timed(theirs)] for _ in range(PAIRS + 1)][1:]) * 1e3
    return (*np.median(times, axis=0), float(np.median(times[:, 1] / times[:, 0])))


def timed(work: Callable[[], object]) -> float:
    start = perf_counter()
    work()
    return perf_counter() - start


def report(size: tuple[int, int], order: RleOrder) -> None:
    mask = car_like(size, seed=1)
    text = encode(mask, order)
    assert text == coco_encode(mask, order)
    assert np.array_equal(decode(text, size, order), coco_decode(text, size, order))
    rows = {
        "encode": (lambda: encode(mask, order), lambda: coco_encode(mask, order)),
        "encode, C only": (lambda: encode(mask, order), lambda: coco_rle(mask, order)),
        "decode": (lambda: decode(text, size, order), lambda: coco_decode(text, size, order)),
    }
    for name, (ours, theirs) in rows.items():
        own, other, ratio = paired(ours, theirs)
        shape = f"{size[0]}x{size[1]}"
        print(f"{shape:>10} {order:>7} {name:<15} {own:8.3f} ms {other:8.3f} ms {ratio:6.1f}x")


def main() -> None:
    print(f"{'mask':>10} {'order':>7} {'work':<15} {'ours':>11} {'pycocotools':>11} {'ratio':>7}")
    for size in [(1280, 1918), (256, 256)]:
        for order in ORDERS:
            report(size, order)


if __name__ == "__main__":
    main()
