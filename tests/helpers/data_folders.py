"""Small folders of images and masks, and the `data` blocks that describe them."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pipeline.config import DataConfig, Experiment, build_experiment

CLASSES = {"cat": 1, "dog": 2, "eel": 5}
PALETTE = [0, 0, 0, 255, 255, 255, 255, 0, 0, 0, 255, 0, 9, 9, 9, 0, 0, 255]


def smooth(height: int = 24, width: int = 36, seed: int = 0) -> NDArray[np.uint8]:
    """A picture that survives JPEG: HWC uint8 ramps, another one for another seed."""
    rows, columns = np.mgrid[:height, :width]
    ramps = [rows * 7 + seed * 20, columns * 5, (rows + columns) * 3 + seed * 10]
    return np.stack(ramps, axis=2).clip(0, 255).astype(np.uint8)


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    stream = BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def save(path: Path, pixels: NDArray[Any], **options: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, **options)
    return path


def palette_gif(values: NDArray[np.uint8]) -> bytes:
    """A GIF whose pixels are indices into a palette that is not gray."""
    image = Image.fromarray(values, "P")
    image.putpalette(PALETTE)
    return encoded(image, "GIF")


def write(path: Path, content: bytes | str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def experiment(root: Path, folds: int = 2, **keys: Any) -> Experiment:
    """An experiment over `images/` and `masks/` below `root`; `keys` are those of `data`."""
    own = {"root": root, "images": "images/{id}.png", "masks": "masks/{id}.png", **keys}
    data = {"classes": ["car"], **own}
    several = {"rows": "class", "key": "{id}_{class}"} if len(data["classes"]) > 1 else {}
    raw = {
        "name": "x",
        "data": data,
        "models": {"a": {"decoder": "unet", "encoder": "resnet18"}},
        "folds": {"count": folds},
        "submission": several,
    }
    return build_experiment(raw, source="x.yaml")


def config(root: Path, **keys: Any) -> DataConfig:
    """The `data` block of such an experiment."""
    return experiment(root, **keys).data
