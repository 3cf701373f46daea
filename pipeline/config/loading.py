"""Builds an experiment: recipe, `extends`, overrides, models over globals; all mistakes at once."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from pipeline.config.experiment import MOST_MODELS, Experiment
from pipeline.config.merging import LENGTHS, merged
from pipeline.config.mistakes import describe_mistakes
from pipeline.config.reading import parse_yaml, read_yaml
from pipeline.config.recipes import recipe_blocks
from pipeline.config.yaml_loader import MOST_DEPTH
from pipeline.errors import ConfigError
from pipeline.suggestions import shortened

Checks = Mapping[str, Callable[[Any], object]]

_MOST_BASES = 100
_MOST_SPREAD = 10**5
_SPREAD = ("input", "train", "infer")
"""The blocks of which each model may override any key."""


def load_experiment(
    path: Path,
    *,
    overrides: Iterable[str] = (),
    data: str | None = None,
    checks: Checks | None = None,
) -> Experiment:
    """The experiment at `path`, with `key.sub=value` overrides and `data.root` replaced by `data`.

    checks: by kind (decoder, encoder, loss, tta, metric, step), what raises on a wrong name.
    Raises ConfigError with every mistake: key, value and the nearest valid name.
    """
    raw = _read_with_bases(path)
    return build_experiment(raw, source=str(path), overrides=overrides, data=data, checks=checks)


def build_experiment(
    raw: Mapping[str, Any],
    *,
    source: str,
    overrides: Iterable[str] = (),
    data: str | None = None,
    checks: Checks | None = None,
) -> Experiment:
    """The experiment of `raw`, as read from YAML; ConfigError as above."""
    if overrides or data is not None:
        raw = _overridden(raw, overrides, data)
    spread = _spread_to_models(raw, source)
    try:
        return Experiment.model_validate(spread, context=dict(checks or {}))
    except ValidationError as error:
        lines = describe_mistakes(error, raw, spread, Experiment)
        raise ConfigError(f"{source} has {len(lines)} mistake(s):\n" + "\n".join(lines)) from None


def _read_with_bases(path: Path) -> dict[str, Any]:
    """The content of a file, merged over that of the files that it extends."""
    tops: list[dict[str, Any]] = []
    seen: set[str] = set()
    raw = read_yaml(path)
    while (base := raw.pop("extends", None)) is not None:
        tops.append(raw)
        seen.add(os.path.realpath(path))
        path, raw = _read_base(path, base)
        if os.path.realpath(path) in seen:
            raise ConfigError(f"{path}: `extends` forms a cycle")
        if len(tops) > _MOST_BASES:
            raise ConfigError(f"{path}: `extends` chains more than {_MOST_BASES} files")
    for top in reversed(tops):
        raw = merged(raw, top)
    return raw


def _read_base(path: Path, base: Any) -> tuple[Path, dict[str, Any]]:
    if not isinstance(base, str) or not base:
        raise ConfigError(f"{path}: extends: {shortened(base)} is not a file name")
    try:
        return path.parent / base, read_yaml(path.parent / base)
    except ConfigError as error:
        raise ConfigError(f"{path}: extends: {error}") from None


def _overridden(
    raw: Mapping[str, Any], overrides: Iterable[str], data: str | None
) -> dict[str, Any]:
    changed = copy.deepcopy(dict(raw))
    for override in overrides:
        _apply_override(changed, override)
    if data is not None:
        _mapping_at(changed, ["data"])["root"] = data
    return changed


def _apply_override(raw: dict[str, Any], override: str) -> None:
    key, equals, text = override.partition("=")
    where = f"override {shortened(override)}"
    if not equals or not key.strip():
        raise ConfigError(f"{where}: write it as key=value, e.g. train.epochs=2")
    *blocks, last = key.strip().split(".")
    if len(blocks) > MOST_DEPTH:
        raise ConfigError(f"{where}: its key has more than {MOST_DEPTH} levels")
    block, value = _mapping_at(raw, blocks), parse_yaml(text, where)
    if isinstance(value, dict) and any(":" in str(each) for each in value):
        raise ConfigError(f"{where}: write a space after each colon: {{a: 1, b: 2}}")
    if value is None and blocks == ["models"] and last in block:
        del block[last]  # as in a file that extends another
    else:
        block[last] = value


def _mapping_at(raw: dict[str, Any], keys: list[str]) -> dict[str, Any]:
    for depth, key in enumerate(keys, start=1):
        below = raw.setdefault(key, {})
        if below is None:
            below = raw[key] = {}
        if not isinstance(below, dict):
            place = ".".join(keys[:depth])
            raise ConfigError(f"override: {place} is {shortened(below)}, not a block")
        raw = below
    return raw


def _spread_to_models(raw: Mapping[str, Any], source: str) -> dict[str, Any]:
    """Lay the recipe under the global blocks, and each model's `input`, `train`, `infer` over them.

    A model's own recipe takes the place of the global one: what is written beats any recipe.
    """
    whole = merged(_laid_under(raw, {}), raw)
    models = raw.get("models")
    if not isinstance(models, dict) or len(models) > MOST_MODELS:
        return whole  # which is refused
    if len(models) * sum(_count(raw.get(block)) for block in _SPREAD) > _MOST_SPREAD:
        raise ConfigError(f"{source}: global blocks, repeated for each model, have too many values")
    return {**whole, "models": {name: _spread(raw, model) for name, model in models.items()}}


def _spread(raw: Mapping[str, Any], model: Any) -> Any:
    if not isinstance(model, dict):
        return model
    model = {**model, "recipe": model.get("recipe") or raw.get("recipe")}
    recipe, blocks = _laid_under(raw, model), dict[str, Any]()
    for block in _SPREAD:
        shared, own = raw.get(block) or {}, model.get(block) or {}
        if isinstance(shared, dict) and isinstance(own, dict):
            below = merged({block: recipe.get(block, {})}, {block: shared})
            blocks |= merged(below, {block: own})
    return {**model, **blocks}


def _laid_under(raw: Mapping[str, Any], model: Mapping[str, Any]) -> dict[str, Any]:
    """The blocks of a recipe; without its length where one is written in any form."""
    blocks = copy.deepcopy(recipe_blocks({**raw, **model}.get("recipe")))
    written = [each.get("train") for each in (raw, model)]
    if any(isinstance(each, dict) and LENGTHS & each.keys() for each in written):
        for key in LENGTHS:
            blocks.get("train", {}).pop(key, None)
    return blocks


def _count(value: Any) -> int:
    """How many values a value of YAML holds."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return 1 + sum(map(_count, inner))
