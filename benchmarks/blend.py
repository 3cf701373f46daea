"""The blending kernel against the machine's read bound and two plain ways: `-m benchmarks.blend`.

Each round times, one after another and on the same maps, a sum of all their bytes in as many
threads as there are cores (the bound: nothing can read faster), our decisions and runs, the mean
of a float32 NumPy stack, and an average of one PNG an image. Figures are medians over rounds, GB of
stored maps a second; ratios are taken within a round.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from time import perf_counter

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.ensemble.blending.kernel import decide, decide_runs
from pipeline.ensemble.blending.threads import ordered, thread_count, thread_pool

Image = list[NDArray[np.uint8]]
SIZE = (640, 960)
BYTES = 600_000_000  # of maps, far more than the caches hold
PLAIN = 6  # images that the slow ways are timed on


def smooth_maps(members: int, rng: np.random.Generator) -> Image:
    """One image's saturated maps, as networks make them; they differ at the borders."""
    field = cv2.resize(rng.normal(size=(8, 12)), SIZE[::-1], interpolation=cv2.INTER_CUBIC) * 12
    logits = [field + cv2.resize(rng.normal(size=(80, 120)), SIZE[::-1]) for _ in range(members)]
    return [np.rint(255 / (1 + np.exp(-each)))[None].astype(np.uint8) for each in logits]


def image_set(members: int, size: int = BYTES) -> list[Image]:
    """Images in one allocation each; a few drawn, the others are shifted copies of them."""
    rng = np.random.default_rng(members)
    drawn = [smooth_maps(members, rng) for _ in range(2)]
    count = max(2 * thread_count(), size // (members * SIZE[0] * SIZE[1]))
    return [[np.roll(m, 17 * n, axis=1) for m in drawn[n % len(drawn)]] for n in range(count)]


def read_all(images: Sequence[Image]) -> None:
    """Every byte once, in every thread its share, as the widest integers there are."""

    def read(part: Sequence[Image]) -> None:
        for image in part:
            for plane in image:
                plane.reshape(-1).view(np.uint64).sum()

    count = thread_count()
    list(thread_pool().map(read, [images[number::count] for number in range(count)]))


def every(function: Callable[[Image], object], images: Sequence[Image]) -> None:
    for _ in ordered(function, images):
        pass


def encoded(maps: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """One map as a PNG file."""
    return cv2.imencode(".png", maps[0])[1]


def numpy_mean(maps: Image) -> NDArray[np.bool_]:
    mean: NDArray[np.float32] = np.mean(np.stack(maps).astype(np.float32), axis=0) / 255
    return mean >= 0.5


def png_mean(files: Sequence[NDArray[np.uint8]]) -> NDArray[np.bool_]:
    total = np.zeros(SIZE, np.float32)
    for file in files:
        decoded = cv2.imdecode(file, cv2.IMREAD_GRAYSCALE)
        assert decoded is not None
        total += decoded
    return total / len(files) / 255 >= 0.5


def timed(work: Callable[[], object]) -> float:
    start = perf_counter()
    work()
    return perf_counter() - start


def one_round(images: list[Image], files: list[list[NDArray[np.uint8]]]) -> dict[str, float]:
    """GB/s of every way."""
    weights, size = [1.0] * len(images[0]), sum(m.nbytes for m in images[0])
    whole = {
        "read bound": lambda: read_all(images),
        "decide": lambda: every(lambda m: decide(m, weights, [0.5], threads=1), images),
        "runs, row": lambda: every(
            lambda m: decide_runs(m, weights, [0.5], "row", threads=1), images
        ),
        "runs, column": lambda: every(
            lambda m: decide_runs(m, weights, [0.5], "column", threads=1), images
        ),
        "decide, an image at a time": lambda: [decide(m, weights, [0.5]) for m in images],
    }
    plain = {
        "NumPy float32": lambda: [numpy_mean(m) for m in images[:PLAIN]],
        "PNG": lambda: [png_mean(f) for f in files],
    }
    speeds = {name: size * len(images) / timed(work) / 1e9 for name, work in whole.items()}
    speeds["NumPy float32"] = size * PLAIN / timed(plain["NumPy float32"]) / 1e9
    speeds["PNG"] = size * len(files) / timed(plain["PNG"]) / 1e9
    return speeds


def report(members: int, rounds: int) -> None:
    images = image_set(members)
    files = [[encoded(m) for m in image] for image in images[:2]]
    one_round(images, files)
    table = [one_round(images, files) for _ in range(rounds)]
    print(f"\n{members} members, {len(images)} images of {SIZE[0]}x{SIZE[1]}, uint8")
    print(f"{'':<28} {'GB/s':>7} {'of bound':>9} {'vs NumPy':>9} {'vs PNG':>8}")
    for name in table[0]:
        speed, *ratios = (
            np.median([row[name] / (row[other] if other else 1) for row in table])
            for other in ("", "read bound", "NumPy float32", "PNG")
        )
        print(f"{name:<28} {speed:>7.2f} {ratios[0]:>9.2f} {ratios[1]:>8.1f}x {ratios[2]:>7.1f}x")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--members", type=int, nargs="+", default=[4, 10, 50])
    parser.add_argument("--rounds", type=int, default=9)
    arguments = parser.parse_args()
    print(f"{thread_count()} threads")
    for members in arguments.members:
        report(members, arguments.rounds)


if __name__ == "__main__":
    main()
