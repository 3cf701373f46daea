"""Training samples a second: decoded each time, or kept (`python -m benchmarks.decoded`).

Images of 1280×1918 (JPEG, PNG masks) that are drawn, one process, one thread; medians of
alternating rounds. The first round from the disk decodes and writes, and is left out.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median

import cv2
import numpy as np
from PIL import Image

from benchmarks import infer
from pipeline.config import AugmentConfig, DataConfig, InputConfig, TrainConfig
from pipeline.data.catalog import Sample
from pipeline.data.decoded import Cache, DiskCache, MemoryCache
from pipeline.data.samples import SampleReader
from pipeline.training.dataset import TrainingSet
from pipeline.training.sampling import Key


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    print("| crop | colour | decoded each time | kept decoded | ratio |\n|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        samples, reader = draw(Path(folder), arguments.images)
        disk = DiskCache(Path(folder) / "decoded", reader, InputConfig())
        caches: tuple[Cache, ...] = (MemoryCache(0), disk)
        for side in (256, 512, 1024):
            for colour in (0.0, 0.5):
                sets = [_set(samples, reader, side, colour, cache) for cache in caches]
                one_round(sets[1])
                rounds = [[one_round(each) for each in sets] for _ in range(arguments.rounds)]
                files, kept = (median(each) for each in zip(*rounds, strict=True))
                rates = f"{files:.1f}/s | {kept:.1f}/s | {kept / files:.1f}×"
                print(f"| {side}² | {colour:g} | {rates} |", flush=True)


def draw(folder: Path, count: int) -> tuple[tuple[Sample, ...], SampleReader]:
    """Images with a mask each."""
    samples = []
    for path in infer.draw(folder, infer.CARVANA_SIZE, count):
        mask = np.asarray(Image.open(path).convert("L")) > 128
        Image.fromarray(mask.astype(np.uint8)).save(path.with_suffix(".png"))
        samples.append(Sample(path.stem, path, (path.with_suffix(".png"),)))
    data = DataConfig(root=folder, images="{id}.jpg", masks="{id}.png", classes={"a": 1})
    return tuple(samples), SampleReader(data)


def _set(
    samples: Sequence[Sample], reader: SampleReader, side: int, colour: float, cache: Cache
) -> TrainingSet:
    augment = AugmentConfig(colour=colour)
    settings = TrainConfig(size=(side, side), augment=augment)
    return TrainingSet(samples, reader, settings, InputConfig(), cache)


def one_round(data: TrainingSet) -> float:
    """Samples a second, each image once."""
    started = time.perf_counter()
    for index in range(len(data)):
        data[Key(0, index, index)]
    return len(data) / (time.perf_counter() - started)


if __name__ == "__main__":
    main()
