"""Builds an experiment: `extends`, overrides, models over globals; every mistake in one message."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from pipeline.config.experiment import Experiment
from pipeline.config.mistakes import describe_mistakes
from pipeline.config.reading import parse_yaml, read_yaml
from pipeline.errors import ConfigError

Checks = Mapping[str, Callable[[Any], object]]

_WHOLE = frozenset({"classes", "loss", "metric", "weights"})
"""Mappings that are one value: who says them again replaces them."""
_NEVER_NULL = frozenset(
    {
        "align",
        "augment",
        "data",
        "ensemble",
        "folds",
        "frame",
        "infer",
        "models",
        "reference_jitter",
        "submission",
        "train",
    }
)
"""Blocks: with nothing below it, such a key says nothing, and what is in the base file stays."""


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
    raw = _read_with_bases(path, ())
    for override in overrides:
        _apply_override(raw, override)
    if data is not None:
        _mapping_at(raw, ["data"])["root"] = data
    return build_experiment(raw, source=str(path), checks=checks)


def build_experiment(
    raw: Mapping[str, Any], *, source: str, checks: Checks | None = None
) -> Experiment:
    """The experiment that `raw`, as read from YAML, stands for; ConfigError as above."""
    spread = _spread_to_models(raw)
    try:
        return Experiment.model_validate(spread, context=dict(checks or {}))
    except ValidationError as error:
        lines = describe_mistakes(error, raw, spread, Experiment)
        raise ConfigError(f"{source} has {len(lines)} mistake(s):\n" + "\n".join(lines)) from None


def _read_with_bases(path: Path, above: tuple[Path, ...]) -> dict[str, Any]:
    if path.resolve() in above:
        raise ConfigError(f"{path}: `extends` goes in a circle")
    raw = read_yaml(path)
    base = raw.pop("extends", None)
    if base is None:
        return raw
    if not isinstance(base, str):
        raise ConfigError(f"{path}: extends: {base!r} is not the name of a file")
    if not (path.parent / base).is_file():
        raise ConfigError(f"{path}: extends: there is no file {path.parent / base}")
    return _merged(_read_with_bases(path.parent / base, (*above, path.resolve())), raw)


def _merged(base: Mapping[str, Any], top: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with the keys of `top` laid over it, block by block; `model: null` takes one out."""
    result = dict(base)
    for key, value in top.items():
        below = result.get(key)
        if value is None and below is not None and key in _NEVER_NULL:
            continue
        if not (isinstance(below, dict) and isinstance(value, dict)) or key in _WHOLE:
            result[key] = value
            continue
        if key == "models":
            gone = {name for name, model in value.items() if model is None} & below.keys()
            below = {name: model for name, model in below.items() if name not in gone}
            value = {name: model for name, model in value.items() if name not in gone}
        result[key] = _merged(below, value)
    return result


def _apply_override(raw: dict[str, Any], override: str) -> None:
    key, equals, text = override.partition("=")
    if not equals or not key.strip():
        raise ConfigError(f"override {override!r}: write it as key=value, e.g. train.epochs=2")
    *blocks, last = key.strip().split(".")
    block, value = _mapping_at(raw, blocks), parse_yaml(text, f"override {override!r}")
    if isinstance(value, dict) and any(":" in str(each) for each in value):
        raise ConfigError(f"override {override!r}: write a space after each colon: {{a: 1, b: 2}}")
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
            raise ConfigError(f"override: {'.'.join(keys[:depth])} is {below!r}, not a block")
        raw = below
    return raw


def _spread_to_models(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Lay each model's `train` and `infer` over the global ones."""
    models = raw.get("models")
    if not isinstance(models, dict):
        return dict(raw)
    return {**raw, "models": {name: _spread(raw, model) for name, model in models.items()}}


def _spread(raw: Mapping[str, Any], model: Any) -> Any:
    if not isinstance(model, dict):
        return model
    blocks = {}
    for block in ("train", "infer"):
        shared, own = raw.get(block) or {}, model.get(block) or {}
        if isinstance(shared, dict) and isinstance(own, dict):
            blocks[block] = _merged(shared, own)
    return {**model, **blocks}
