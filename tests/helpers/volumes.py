"""A drawn competition of volumes: tubes whose slices are discs, on noise."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from tests.helpers.competitions import TINY, raw_experiment

SIDES = (6, 40, 48)


def draw_volume(seed: int, shape: tuple[int, int, int] = SIDES) -> tuple[np.ndarray, np.ndarray]:
    """A volume ZYX uint16 and its labels 0/1 uint8."""
    random = np.random.default_rng(seed)
    depths, rows, columns = np.mgrid[: shape[0], : shape[1], : shape[2]]
    middle = random.uniform(12, 28, 2)
    labels = np.hypot(rows - middle[0] - depths, columns - middle[1] + depths / 2) < 7
    labels[0] = False  # nothing on the first one
    volume = random.normal(1000, 60, shape) + 500 * labels
    return volume.astype(np.uint16), labels.astype(np.uint8)


def save_volume(path: Path, volume: np.ndarray) -> None:
    """As its ending says."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".tif":
        tifffile.imwrite(path, volume, photometric="minisblack")
    elif path.suffix == ".npy":
        np.save(path, volume)
    elif path.suffix == ".zarr":
        import zarr

        zarr.create_array(path, data=volume, chunks=(2, 20, 48))
    else:
        import nibabel

        nibabel.save(nibabel.Nifti1Image(volume.transpose(2, 1, 0), np.eye(4)), path)


def draw_volumes(folder: Path, count: int = 4, test: int = 1, ending: str = ".tif") -> None:
    """`train/{id}` and `test/{id}` with their `labels/{id}`."""
    for number in range(count + test):
        part = "train" if number < count else "test"
        volume, labels = draw_volume(number)
        save_volume(folder / part / f"case{number}{ending}", volume)
        if part == "train":
            save_volume(folder / "labels" / f"case{number}{ending}", labels)


def volume_experiment(root: Path, ending: str = ".tif", **blocks: Any) -> dict[str, Any]:
    """An experiment over it, as YAML would say it."""
    raw = raw_experiment(root, **blocks)
    raw["data"] = {
        "root": str(root),
        "images": f"train/{{id}}{ending}",
        "masks": f"labels/{{id}}{ending}",
        "test": f"test/{{id}}{ending}",
        "classes": ["tube"],
        "bands": ["gray"],
        "volume": {},
        **blocks.get("data", {}),
    }
    raw.setdefault("models", {"a": {"decoder": "unet", **TINY}})
    return raw
