"""A drawn competition of volumes: vessels that only the slices above and below tell apart."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from tests.helpers.competitions import raw_experiment

STACK = {"of": r"^(kidney\d+)", "position": r"_(\d+)$", "neighbours": [-1, 0, 1]}


def draw_kidney(folder: Path, stacks: int = 4, slices: int = 8, test: int = 1) -> None:
    """16-bit PNG slices `train/{stack}_{n}.png`, `test/`, `masks/`.

    Discs on noise. A vessel goes through the slices above and below; an artefact of the same looks
    is in its slice alone.
    """
    random = np.random.default_rng(3)
    rows, columns = np.mgrid[:48, :48]
    (folder / "masks").mkdir(parents=True)
    for number in range(stacks + test):
        part = "train" if number < stacks else "test"
        (folder / part).mkdir(exist_ok=True)
        volume = random.normal(9000, 700, (slices, 48, 48))
        vessels = np.zeros((48, 48), bool)
        for _ in range(3):
            vessels |= _disc(random, rows, columns)
        volume[:, vessels] += 4000
        for plane in volume:
            for _ in range(3):
                plane[_disc(random, rows, columns)] = 13000
        for position, plane in enumerate(volume):
            name = f"kidney{number}_{position:02d}.png"
            deep = plane.clip(0, 65535).astype(np.uint16)
            Image.fromarray(deep).save(folder / part / name)
            if part == "train":
                Image.fromarray(vessels.astype(np.uint8) * 255).save(folder / "masks" / name)


def _disc(random: np.random.Generator, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    row, column = random.uniform(6, 42, 2)
    return np.hypot(rows - row, columns - column) < random.uniform(3, 5)


def kidney_experiment(root: Path, **blocks: Any) -> dict[str, Any]:
    """An experiment over it, as YAML would say it."""
    raw = raw_experiment(root, **blocks)
    raw["data"] = {
        "root": str(root),
        "images": "train/{id}.png",
        "masks": "masks/{id}.png",
        "test": "test/{id}.png",
        "classes": ["vessel"],
        "bands": ["gray"],
        "stack": STACK,
        **blocks.get("data", {}),
    }
    return raw
