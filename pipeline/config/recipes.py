"""Recipes: named sets of keys, laid under what an experiment says itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal, get_args

RecipeName = Literal["fast", "standard", "strong"]

RECIPES: Mapping[RecipeName, Mapping[str, Any]] = {
    "fast": {
        "train": {"lr": 2e-3},
        "infer": {"tta": ["identity"]},
    },
    "standard": {
        "train": {"lr": 2e-3},
        "infer": {"tta": ["identity", "hflip"]},
    },
    "strong": {
        "train": {"lr": 1e-3},
        "infer": {"tta": ["flips"]},
    },
}
"""What each recipe sets of the blocks `train` and `infer`."""


def recipe_blocks(name: Any) -> Mapping[str, Any]:
    """The blocks of a recipe; none for null, or a name that validation will refuse."""
    return RECIPES[name] if name in get_args(RecipeName) else {}


def keys_of(blocks: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """The keys of nested blocks as `train.lr`, with their values."""
    for key, value in blocks.items():
        if isinstance(value, Mapping):
            yield from keys_of(value, f"{above}{key}.")
        else:
            yield f"{above}{key}", value
