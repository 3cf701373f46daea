"""Reads an experiment: YAML, `extends`, overrides; every mistake in one message."""

from __future__ import annotations

import types
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Union, get_args, get_origin

import yaml
from pydantic import BaseModel, ValidationError

from pipeline.config.base import nearest
from pipeline.config.experiment import Experiment
from pipeline.errors import ConfigError

Checks = Mapping[str, Callable[[Any], object]]


class _StrictLoader(yaml.SafeLoader):
    """YAML without code, that refuses a key given twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if isinstance(key, str | int | float | bool) and key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key!r} is given twice", key_node.start_mark
                )
            if isinstance(key, str | int | float | bool):
                seen.add(key)
        return super().construct_mapping(node, deep)


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
    try:
        return Experiment.model_validate(_spread_to_models(raw), context=dict(checks or {}))
    except ValidationError as error:
        lines = dict.fromkeys(_explain(problem, raw) for problem in error.errors())
        raise ConfigError(f"{source} has {len(lines)} mistake(s):\n" + "\n".join(lines)) from None


def _read_with_bases(path: Path, above: tuple[Path, ...]) -> dict[str, Any]:
    if path.resolve() in above:
        raise ConfigError(f"{path}: `extends` goes in a circle")
    raw = _read_yaml(path)
    base = raw.pop("extends", None)
    if base is None:
        return raw
    if not isinstance(base, str):
        raise ConfigError(f"{path}: extends: {base!r} is not the name of a file")
    return _merged(_read_with_bases(path.parent / base, (*above, path.resolve())), raw)


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        raw = yaml.load(path.read_text(encoding="utf-8"), _StrictLoader)
    except FileNotFoundError:
        known = [str(each) for each in sorted(path.parent.glob("*.yaml"))]
        raise ConfigError(f"there is no experiment {path}{nearest(str(path), known)}") from None
    except (yaml.YAMLError, UnicodeDecodeError, OSError, RecursionError) as error:
        raise ConfigError(f"{path} cannot be read as YAML: {error}") from None
    if not isinstance(raw, dict):
        raise ConfigError(f"{path} holds no experiment (a YAML mapping with name, data, models, …)")
    return raw


def _merged(base: Mapping[str, Any], top: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with the keys of `top` laid over it, block by block."""
    result = dict(base)
    for key, value in top.items():
        below = result.get(key)
        both = isinstance(below, dict) and isinstance(value, dict) and key != "classes"
        result[key] = _merged(below, value) if both else value  # type: ignore[arg-type]
    return result


def _apply_override(raw: dict[str, Any], override: str) -> None:
    key, equals, text = override.partition("=")
    if not equals or not key.strip():
        raise ConfigError(f"override {override!r}: write it as key=value, e.g. train.epochs=2")
    *blocks, last = key.strip().split(".")
    try:
        value = yaml.load(text, _StrictLoader)
    except yaml.YAMLError as error:
        raise ConfigError(f"override {override!r}: {error}") from None
    _mapping_at(raw, blocks)[last] = value


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


def _explain(problem: Any, raw: Mapping[str, Any]) -> str:
    location = [str(part) for part in problem["loc"] if "[" not in str(part)]
    key, kind = ".".join(location), problem["type"]
    if _is_spread(location, raw):
        key = ".".join(location[2:])
    if kind == "extra_forbidden":
        return f"  {key}: no such key{nearest(location[-1], _keys_beside(location))}"
    if kind == "missing":
        return f"  {key}: is required"
    message = problem["msg"].removeprefix("Value error, ")
    if kind == "value_error" and not isinstance(problem["input"], str | int | float | list | tuple):
        return f"  {key}: {message}" if key else f"  {message}"
    hint = ""
    if kind == "literal_error":
        valid = problem["ctx"]["expected"].replace(" or ", ", ").replace("'", "").split(", ")
        hint = nearest(str(problem["input"]), valid)
    return f"  {key}: {problem['input']!r}: {message}{hint}"


def _is_spread(location: list[str], raw: Mapping[str, Any]) -> bool:
    """Whether a mistake sits in a key that a model only has from the global train or infer."""
    if len(location) < 4 or location[0] != "models" or location[2] not in ("train", "infer"):
        return False
    _, name, block, key, *_ = location
    return key not in (raw["models"][name].get(block) or {})


def _keys_beside(location: list[str]) -> list[str]:
    """The valid keys of the block in which `location` ends."""
    blocks: list[Any] = [Experiment]
    for part in location[:-1]:
        blocks = [inner for block in blocks for inner in _inside(block, part)]
    return [name for block in blocks for name in block.model_fields]


def _inside(block: type[BaseModel], key: str) -> list[Any]:
    field = block.model_fields.get(key)
    if field is None:
        return [block]
    return _blocks_of(field.annotation)


def _blocks_of(annotation: Any) -> list[Any]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    if get_origin(annotation) in (Union, types.UnionType, dict, tuple):
        return [block for inner in get_args(annotation) for block in _blocks_of(inner)]
    return []
