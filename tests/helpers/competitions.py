"""Tiny competitions and experiments for tests: discs on noise, learned in seconds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from pipeline.config import Experiment, build_experiment
from pipeline.reporting import SilentReporter
from pipeline.stages.context import StageContext
from pipeline.workspace import Workspace

TINY = {"encoder": "test_resnet", "weights": None}
ONE_MODEL: dict[str, Any] = {
    "train": {"epochs": 1, "ema": None},
    "models": {"a": {"decoder": "linknet", **TINY}},
    "ensemble": {"threshold": 0.5},
}


def draw_discs(
    folder: Path, count: int = 12, test: int = 4, size: tuple[int, int] = (48, 64), classes: int = 1
) -> None:
    """`images/i<group>_<n>.png` with a bright disc a class, `masks/` with values 1 …, `test/`."""
    random = np.random.default_rng(0)
    for part, number in [("images", count), ("test", test)]:
        for position in range(number):
            image, mask = _disc(random, size, classes)
            name = f"{part[0]}{position // 2}_{position}.png"
            _save(folder / part / name, image)
            if part == "images":
                _save(folder / "masks" / name, mask)


def _disc(
    random: np.random.Generator, size: tuple[int, int], classes: int
) -> tuple[np.ndarray, np.ndarray]:
    rows, columns = np.mgrid[: size[0], : size[1]]
    image = random.integers(0, 90, (*size, 3))
    mask = np.zeros(size, np.uint8)
    for value in range(1, classes + 1):
        centre = [random.uniform(0.25, 0.75) * side for side in size]
        inside = (
            np.hypot(rows - centre[0], columns - centre[1]) < random.uniform(0.12, 0.3) * size[0]
        )
        image[inside] += np.array([150, 60 * value, 150 - 60 * value])
        mask[inside] = value
    return image.clip(0, 255).astype(np.uint8), mask


def _save(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def raw_experiment(root: Path, **blocks: Any) -> dict[str, Any]:
    """An experiment over `draw_discs` that trains in a few seconds, as YAML would say it."""
    raw: dict[str, Any] = {
        "name": "discs",
        "data": {
            "root": str(root),
            "images": "images/{id}.png",
            "masks": "masks/{id}.png",
            "test": "test/{id}.png",
            "group": r"^([it]\d+)_",
            "classes": ["disc"],
        },
        "folds": {"count": 2},
        "models": {"a": {"decoder": "linknet", **TINY}, "b": {"decoder": "unet", **TINY}},
        "train": {"size": [48, 64], "batch": 4, "epochs": 2, "lr": 1e-3},
        "infer": {"tta": ["identity", "hflip"]},
    }
    for key, value in blocks.items():
        merged = isinstance(raw.get(key), dict) and isinstance(value, dict) and key != "models"
        raw[key] = {**raw[key], **value} if merged else value
    if "stages" in raw["train"]:
        raw["train"].pop("epochs", None)  # which have lengths of their own
    return raw


def experiment(root: Path, **blocks: Any) -> Experiment:
    """The same, validated."""
    return build_experiment(raw_experiment(root, **blocks), source="test")


def context(root: Path, workspace: Path, asked: str = "", **blocks: Any) -> StageContext:
    """One invocation of a stage over the discs at `root`, one job at a time, that says nothing."""
    chosen = experiment(root, **blocks)
    return StageContext(
        chosen, Workspace(chosen.name, workspace), SilentReporter(), asked=asked, jobs=1
    )


def said(stage: StageContext) -> str:
    """What a stage has told the user so far."""
    assert isinstance(stage.reporter, SilentReporter)
    return "\n".join(stage.reporter.said)
