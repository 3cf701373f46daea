"""The smallest experiment, and variations of it."""

from __future__ import annotations

from typing import Any

from pipeline.config import Experiment, build_experiment

MINIMAL = """
name: cars
data:
  root: data/cars
  images: train/{id}.jpg
  masks: train_masks/{id}.png
  classes: [car]
models:
  a: {decoder: unet, encoder: resnet18}
"""


def raw(**blocks: Any) -> dict[str, Any]:
    """The smallest experiment as YAML gives it; `blocks` replace its own, `data` key by key."""
    smallest: dict[str, Any] = {
        "name": "cars",
        "data": {"root": "d", "images": "i/{id}.png", "masks": "m/{id}.png", "classes": ["car"]},
        "models": {"a": {"decoder": "unet", "encoder": "resnet18"}},
    }
    for key, value in blocks.items():
        both = key == "data" and isinstance(value, dict)
        smallest[key] = {**smallest[key], **value} if both else value
    return smallest


def experiment(**blocks: Any) -> Experiment:
    return build_experiment(raw(**blocks), source="x.yaml")
