"""Lays one mapping of YAML over another: block by block, key by key."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

LENGTHS = frozenset({"length", "epochs", "steps"})
"""Keys of `train`, any of which says how long a training (or a stage of it) is."""
_WHOLE = frozenset({"classes", "loss", "metric", "weights"})
"""Mappings that are one value: a later file replaces them as a whole."""
_NEVER_NULL = frozenset(
    {
        "align",
        "augment",
        "average",
        "data",
        "ensemble",
        "folds",
        "frame",
        "freeze",
        "infer",
        "input",
        "models",
        "reference_jitter",
        "sample",
        "submission",
        "train",
    }
)
"""Blocks: with nothing below it, such a key is ignored, and the base file's value stays."""


def merged(base: Mapping[str, Any], top: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with the keys of `top` laid over it, block by block; `model: null` takes one out."""
    result = dict(base)
    for key, value in top.items():
        below = result.get(key)
        if value is None and below is not None and key in _NEVER_NULL:
            continue
        if not (isinstance(below, dict) and isinstance(value, dict)) or key in _WHOLE:
            result[key] = value
            continue
        if key == "train":
            below = _without_replaced_length(below, value)
        if key == "models":
            gone = {name for name, model in value.items() if model is None} & below.keys()
            below = {name: model for name, model in below.items() if name not in gone}
            value = {name: model for name, model in value.items() if name not in gone}
        result[key] = merged(below, value)
    return result


def _without_replaced_length(below: Mapping[str, Any], top: Mapping[str, Any]) -> dict[str, Any]:
    """The block `train` without its length, where `top` says in the other form how long it is."""
    if top.get("stages") is not None:
        return {key: each for key, each in below.items() if key not in LENGTHS}
    if any(top.get(key) is not None for key in LENGTHS):
        return {key: each for key, each in below.items() if key != "stages"}
    return dict(below)
