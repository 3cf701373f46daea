"""What auxiliary outputs are worth on drawn images: the same training with them and without.

    python -m benchmarks.auxiliary_worth [--steps 150] [--seeds 2] [discs empty]

*discs*: grey discs that touch and overlap, each object told apart by its mask; scored by objects
(`dsb`). *empty*: a faint disc in a quarter of the images, and rings, which are no discs, in all;
scored by Dice, where a false object in an empty image costs its whole score. A tiny ResNet from
random weights in LinkNet, two folds. Scores are nested.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image

from pipeline import open_run

SIZE = 64
Arm = tuple[list[dict[str, Any]], list[Any]]
"""Auxiliary outputs, and steps of post-processing."""


def _by(name: str, weight: float = 1.0) -> Arm:
    return [{"name": name, "weight": weight}], [{"name": "watershed", "by": name}]


DISCS: dict[str, Arm] = {
    "watershed": ([], ["watershed"]),
    "watershed by centre, weight 1": _by("centre"),
    "watershed by distance, weight 1": _by("distance"),
    "watershed by boundary, weight 1": _by("boundary"),
    "watershed by centre, weight 0.1": _by("centre", 0.1),
}
EMPTY: dict[str, Arm] = {
    "gate": ([], ["gate"]),
    "gate by presence": ([{"name": "presence"}], [{"name": "gate", "by": "presence"}]),
    "deep supervision, gate": ([{"name": "deep_supervision"}], ["gate"]),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", default=["discs", "empty"])
    parser.add_argument("--steps", type=int, default=150)
    parser.add_argument("--seeds", type=int, default=2)
    args = parser.parse_args()
    kinds = {
        "discs": (draw_discs, "dsb", "masks/{id}/*.png", DISCS),
        "empty": (draw_empty, "dice", "masks/{id}.png", EMPTY),
    }
    for name in args.names:
        draw, metric, masks, arms = kinds[name]
        print(
            f"| {name}: {metric}, nested | by seed | mean | kept | CPU s |\n|---|---|---|---|---|"
        )
        for label, arm in arms.items():
            began = time.process_time()
            found = [_score(draw, metric, masks, arm, args.steps, seed)
                     for seed in range(args.seeds)]  # fmt: skip
            scores, kept = zip(*found, strict=True)
            seconds = time.process_time() - began
            each = ", ".join(f"{score:.4f}" for score in scores)
            print(
                f"| {label} | {each} | {statistics.mean(scores):.4f} | {sum(kept)} of {len(kept)} "
                f"| {seconds:.0f} |", flush=True,
            )  # fmt: skip


def _score(
    draw: Callable[[Path], None], metric: str, masks: str, arm: Arm, steps: int, seed: int
) -> tuple[float, bool]:
    """The nested score, and whether a step was kept."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        draw(folder / "data")
        model = {"decoder": "linknet", "encoder": "test_resnet", "weights": None}
        run = open_run(
            {
                "name": "worth", "metric": metric,
                "data": {
                    "root": str(folder / "data"), "images": "images/{id}.png", "masks": masks,
                    "classes": ["disc"],
                },
                "folds": {"count": 2},
                "models": {"m": {**model, "auxiliary": arm[0]}},
                "train": {
                    "size": [SIZE, SIZE], "batch": 4, "length": steps, "epochs": 3, "lr": 1e-2,
                    "seed": seed, "workers": 0, "validate": {"last": 1},
                },
                "ensemble": {"postprocess": arm[1]},
            },
            folder=folder, jobs=1, quiet=True,
        )  # fmt: skip
        facts = run.ensemble()
        return float(facts["score"]["nested"]), bool(facts["postprocess"])


def draw_discs(folder: Path, count: int = 32) -> None:
    """Discs in a heap: each next one touches one before it, or lies a little over it."""
    random = np.random.default_rng(0)
    for number in range(count):
        image, objects = _noise(random), np.zeros((SIZE, SIZE), np.int32)
        placed = [(SIZE / 2, SIZE / 2, 7.0)]
        while len(placed) < 6:
            x, y, radius = placed[int(random.integers(len(placed)))]
            angle, size = random.uniform(0, 2 * np.pi), random.uniform(5, 9)
            apart = (radius + size) * random.uniform(0.85, 1.0)
            placed.append((x + apart * np.cos(angle), y + apart * np.sin(angle), size))
        for place, (x, y, radius) in enumerate(placed, start=1):
            cv2.circle(objects, (round(x), round(y)), round(radius), place, -1)
        image[objects > 0] += 70
        _save(folder / "images" / f"{number}.png", image)
        for place in np.unique(objects)[1:]:
            _save(folder / "masks" / str(number) / f"{place}.png", 255.0 * (objects == place))


def draw_empty(folder: Path, count: int = 64) -> None:
    """Rings in every image, a disc in each fourth."""
    random = np.random.default_rng(0)
    for number in range(count):
        image, mask = _noise(random), np.zeros((SIZE, SIZE), np.uint8)
        light = np.zeros((SIZE, SIZE), np.float32)
        for _ in range(3):
            middle = [int(each) for each in random.integers(9, SIZE - 9, 2)]
            cv2.circle(light, middle, int(random.integers(4, 8)), 45, int(random.integers(2, 4)))
        if number % 4 == 0:
            middle = [int(each) for each in random.integers(9, SIZE - 9, 2)]
            radius = int(random.integers(4, 8))
            cv2.circle(light, middle, radius, 45, -1)
            cv2.circle(mask, middle, radius, 255, -1)
        _save(folder / "images" / f"{number}.png", image + light[..., None])
        _save(folder / "masks" / f"{number}.png", mask)


def _noise(random: np.random.Generator) -> np.ndarray:
    return random.normal(80, 25, (SIZE, SIZE, 3))


def _save(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(path)


if __name__ == "__main__":
    main()
