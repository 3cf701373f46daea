"""Training samples a second by preset of augmentation (`python -m benchmarks.augmentation`).

Decoded photographs of 512×512 that are drawn, crops of 256×256, one process, one thread; medians of
alternating rounds of CPU seconds, as a ratio of the preset `light`.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import get_args

import cv2
import numpy as np
from PIL import Image

from pipeline.config import AugmentConfig, DataConfig, InputConfig, TrainConfig
from pipeline.config.augmentation_presets import PresetName
from pipeline.data.catalog import Sample
from pipeline.data.decoded import MemoryCache
from pipeline.data.samples import SampleReader
from pipeline.training.dataset import TrainingSet
from pipeline.training.sampling import Key

IMAGES, SIDE, CROP = 16, 512, 256
MIXED = ("mixup", "cutmix", "copy_paste", "mosaic")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--samples", type=int, default=200)
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    kinds = {name: AugmentConfig(preset=name) for name in get_args(PresetName)}
    kinds |= {f"light, {key}: 0.3": AugmentConfig.model_validate({key: 0.3}) for key in MIXED}
    with tempfile.TemporaryDirectory() as folder:
        samples, reader = draw(Path(folder))
        sets = {name: _set(samples, reader, augment) for name, augment in kinds.items()}
        for each in sets.values():
            _round(each, arguments.samples)
        rounds = [
            {name: _round(each, arguments.samples) for name, each in sets.items()}
            for _ in range(arguments.rounds)
        ]
    print("| augmentation | ms a sample | ratio |\n|---|---|---|")
    for name in kinds:
        ratio = median(each[name] / each["light"] for each in rounds)
        print(f"| {name} | {1000 * median(each[name] for each in rounds):.2f} | {ratio:.2f}× |")


def draw(folder: Path) -> tuple[tuple[Sample, ...], SampleReader]:
    """Noise at several scales, with discs as truth."""
    random, samples = np.random.default_rng(0), []
    for number in range(IMAGES):
        noise = random.normal(128, 60, (SIDE, SIDE, 3)).astype(np.float32)
        image = noise * 0.2 + cv2.GaussianBlur(noise, (0, 0), 8) * 4 - 410
        mask = np.zeros((SIDE, SIDE), np.uint8)
        for row, column, radius in random.integers(20, SIDE, (12, 3)).tolist():
            cv2.circle(mask, (column, row), radius // 8, 1, -1)
        path = folder / f"{number}.png"
        Image.fromarray((image + 60 * mask[..., None]).clip(0, 255).astype(np.uint8)).save(path)
        Image.fromarray(mask).save(folder / f"{number}_mask.png")
        samples.append(Sample(path.stem, path, (folder / f"{number}_mask.png",)))
    data = DataConfig(root=folder, images="{id}.png", masks="{id}_mask.png", classes={"a": 1})
    return tuple(samples), SampleReader(data)


def _set(samples: tuple[Sample, ...], reader: SampleReader, augment: AugmentConfig) -> TrainingSet:
    settings = TrainConfig(size=(CROP, CROP), augment=augment)
    return TrainingSet(samples, reader, settings, InputConfig(), MemoryCache(2**30))


def _round(data: TrainingSet, count: int) -> float:
    """CPU seconds a sample."""
    started = time.process_time()
    for position in range(count):
        data[Key(0, position, position % len(data))]
    return (time.process_time() - started) / count


if __name__ == "__main__":
    main()
