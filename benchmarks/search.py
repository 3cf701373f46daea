"""The weight search on disputed pixels against the same search on all: `-m benchmarks.search`.

Maps are drawn: one truth an image with a smooth border, and members that err like networks do, by
smooth errors near the border, some blobs missed or invented, and values that saturate away from it.
Both searches are the same code and must give the same blend and score; what is shown is how long
they take, with and without reading the maps once to find the disputed pixels. Beyond the first
hundreds, images are shifted copies of those.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from time import perf_counter

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.data.ground_truth import Truth
from pipeline.ensemble.search.disputed_pixels import Disputed, find_disputed
from pipeline.ensemble.search.oof import OofSource
from pipeline.ensemble.search.weights import search_blend
from pipeline.metrics import get_metric

SIZE = (640, 960)
DRAWN = 200
Image = tuple[list[NDArray[np.uint8]], Truth]


def coarse_noise(rng: np.random.Generator, height: int) -> NDArray[np.float32]:
    """Normal noise of unit spread, HW, smooth at a scale of SIZE[0] / height pixels."""
    grid = rng.normal(size=(height, height * 3 // 2)).astype(np.float32)
    noise = cv2.resize(grid, SIZE[::-1], interpolation=cv2.INTER_CUBIC)
    return noise.astype(np.float32, copy=False)


def draw_image(members: int, seed: int) -> Image:
    """One image's maps, 1HW uint8 a member, and its truth."""
    rng = np.random.default_rng(seed)
    field = coarse_noise(rng, 5) - 0.4
    seen = field + 0.05 * coarse_noise(rng, 60)  # what misleads all members alike
    maps = []
    for member in range(members):
        skill = 1 + 0.1 * member
        logits = 25 * (seen + 0.04 * skill * coarse_noise(rng, 60))
        # Where a network has seen something else altogether.
        logits += 40 * np.maximum(coarse_noise(rng, 12) - 2.6, 0) * rng.choice([-1, 1])
        maps.append(np.rint(127.5 + 127.5 * np.tanh(logits / 2))[None].astype(np.uint8))
    return maps, Truth((field > 0)[None].astype(np.uint8))


def draw(members: int, images: int) -> OofSource:
    first = [draw_image(members, number) for number in range(min(images, DRAWN))]
    drawn = {f"image{n}": shifted(first[n % DRAWN], 53 * (n // DRAWN)) for n in range(images)}
    names = tuple(f"model{member}" for member in range(members))
    return OofSource(names, tuple(drawn), lambda id: drawn[id][0], lambda id: drawn[id][1])


def shifted(image: Image, columns: int) -> Image:
    maps, truth = image
    if columns == 0:
        return image
    return [np.roll(each, columns, 2) for each in maps], Truth(np.roll(truth.planes, columns, 2))


def timed_search(source: OofSource, folder: Path, metric: str, prune: bool) -> tuple:  # type: ignore[type-arg]
    """The blend, the evidence, and seconds to gather and to search."""
    start = perf_counter()
    oof: Disputed = find_disputed(source, folder, prune=prune)
    gathered = perf_counter()
    blend = search_blend(oof, get_metric(metric))
    return blend, oof.share, gathered - start, perf_counter() - gathered


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--members", type=int, default=10)
    parser.add_argument("--images", type=int, default=100)
    parser.add_argument("--metric", default="dice")
    arguments = parser.parse_args()
    source = draw(arguments.members, arguments.images)
    search_blend(find_disputed(draw(2, 2), Path(tempfile.gettempdir())), get_metric("dice"))
    print(
        f"{arguments.members} members, {arguments.images} OOF maps of {SIZE[0]}x{SIZE[1]} "
        f"(1/{1000 / arguments.images:g} of 1,000), {arguments.metric}"
    )
    with tempfile.TemporaryDirectory() as folder:
        pruned, full = (
            timed_search(source, Path(folder), arguments.metric, prune) for prune in (True, False)
        )
    print(f"{'':<10} {'pixels':>8} {'gather':>9} {'search':>9}")
    for name, (_, share, gather, search) in (("disputed", pruned), ("all", full)):
        print(f"{name:<10} {share:>8.2%} {gather:>7.2f} s {search:>7.2f} s")
    print(f"search {full[3] / pruned[3]:.1f}x faster, with gathering "
          f"{(full[2] + full[3]) / (pruned[2] + pruned[3]):.1f}x")  # fmt: skip
    print(f"same blend and score: {pruned[0] == full[0]} ({pruned[0].score:.6f})")


if __name__ == "__main__":
    main()
