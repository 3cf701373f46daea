"""Recipes: named sets of keys, laid under what an experiment says itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, get_args

from pipeline.config.base import flat_keys

RecipeName = Literal["fast", "standard", "strong"]

# A high rate for the new decoder, a lower one for the pretrained encoder, and objects in sight
# (`benchmarks.recipes`).
_LEARN: dict[str, Any] = {"encoder_lr": 0.3, "sample": {"foreground": 0.33}}
RECIPES: Mapping[RecipeName, dict[str, Any]] = {
    "fast": {
        "train": {"length": 600, "lr": 4e-3, **_LEARN},
        "infer": {"tta": ["identity"]},
    },
    "standard": {
        "train": {"length": 3000, "lr": 4e-3, **_LEARN},
        "infer": {"tta": ["identity", "hflip"]},
    },
    "strong": {
        "train": {"length": 12000, "lr": 2e-3, **_LEARN, "augment": {"preset": "medium"}},
        "infer": {"tta": ["flips"]},
    },
}
"""What each recipe sets of the blocks `train` and `infer`."""


def recipe_blocks(name: Any) -> dict[str, Any]:
    """The blocks of a recipe; none for null, or a name that validation will refuse."""
    known = isinstance(name, str) and name in get_args(RecipeName)
    return dict(RECIPES[name]) if known else {}


def described(name: RecipeName, blocks: Mapping[str, Any]) -> str:
    """A recipe with the values of its keys, and for those that are written otherwise these.

    blocks: `train` and `infer` of a model as they are used.
    """
    used, parts = dict(flat_keys(blocks)), []
    for key, value in flat_keys(RECIPES[name]):
        if used.get(key) is not None:  # else a length, which is written as epochs or stages
            parts.append(f"{key} {used[key]}" + ("" if used[key] == value else f", not {value}"))
    return f"recipe {name}: {'; '.join(parts)}"
