"""A drawn competition of satellite scenes: seven int16 bands, of which colours say little."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from tests.helpers.competitions import TINY, raw_experiment

BANDS = ("swir", "nir", "red", "green", "blue", "clouds", "height")
NO_DATA = -32768
INDEX = "(nir - red) / (nir + red)"


def draw_kelp(folder: Path, count: int = 12, test: int = 4) -> None:
    """`train/{id}.npy` and `test/{id}.npy` of 48×64×7, `masks/{id}.png`.

    Kelp is a little brighter in near infrared, on water whose brightness differs from place to
    place as much: what tells is the ratio to red. A corner of every third scene has no data.
    """
    random = np.random.default_rng(5)
    (folder / "masks").mkdir(parents=True)
    for part, number in (("train", count), ("test", test)):
        (folder / part).mkdir()
        for position in range(number):
            scene, kelp = _scene(random)
            if position % 3 == 0:
                scene[:12, :16] = NO_DATA
            np.save(folder / part / f"k{position:02d}.npy", scene)
            if part == "train":
                Image.fromarray(kelp).save(folder / "masks" / f"k{position:02d}.png")


def _scene(random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    rows, columns = np.mgrid[:48, :64]
    kelp = np.zeros((48, 64), bool)
    for _ in range(3):
        row, column, radius = random.uniform(4, 44), random.uniform(4, 60), random.uniform(4, 9)
        kelp |= np.hypot(rows - row, columns - column) < radius
    light = 1 + 0.5 * np.sin(rows / 9 + random.uniform(0, 6)) * np.cos(columns / 11)
    red, blue = 900 * light, 700 * light
    nir = 600 * light * np.where(kelp, 1.5, 1)
    planes = [300 * light, nir, red, 800 * light, blue, np.zeros_like(light), 40 * light]
    noisy = np.stack(planes, axis=2) + random.normal(0, 25, (48, 64, 7))
    return noisy.astype(np.int16), kelp.astype(np.uint8) * 255


def kelp_experiment(root: Path, **blocks: Any) -> dict[str, Any]:
    """An experiment over it, as YAML would say it: all bands, and the index that tells."""
    raw = raw_experiment(root, **blocks)
    raw["data"] = {
        "root": str(root),
        "images": "train/{id}.npy",
        "masks": "masks/{id}.png",
        "test": "test/{id}.npy",
        "classes": ["kelp"],
        "bands": list(BANDS),
        "derive": {"ndvi": INDEX},
        "no_data": NO_DATA,
        **blocks.get("data", {}),
    }
    raw.setdefault("models", {"a": {"decoder": "unet", **TINY}})
    return raw
