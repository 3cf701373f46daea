"""Describes the mistakes of an experiment: one line each, with key, value and nearest name."""

from __future__ import annotations

import types
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from pipeline.config.base import fields_by_key, is_block
from pipeline.config.training_stage import MERGED_BLOCKS
from pipeline.suggestions import did_you_mean, shortened

Path = tuple[Any, ...]

GONE = {
    ("infer", "checkpoint"): "removed in 0.2: the weights after the last step are always used, "
    "since choosing the epoch on the scored fold makes the score too optimistic",
    ("infer", "merge"): "now infer.mean: arithmetic (was mean), geometric or logit",
    ("train", "resize"): "now input.resize",
    ("train", "init"): "it stands beside weights: models.<name>.init",
    ("ensemble", "metric"): "now metric, at the top level",
    ("data", "exclusive"): "now data.multiclass",
}
"""Removed keys as (block, key), and their replacements."""

_MOST_LINES = 200
_LONGEST_KEY = 80
_LONGEST_MESSAGE = 2000
_KEY = "[key]"
"""Pydantic's error types for a wrong key itself, not for its content."""

_WORDS = {
    "model_type": "should be a block of keys",
    "dict_type": "should be a block of keys",
    "tuple_type": "should be a list",
    "string_type": "should be text; put it in quotes",
}


class _Position(int):
    """A place in a list, since YAML's keys may be numbers, too."""


@dataclass(frozen=True)
class Mistake:
    """One of pydantic's errors, at the keys as they are written."""

    path: Path
    kind: str
    message: str
    value: Any
    hint: str = ""


def describe_mistakes(
    error: ValidationError,
    written: Mapping[str, Any],
    validated: Mapping[str, Any],
    experiment: type[BaseModel],
) -> list[str]:
    """One line a mistake.

    written: the experiment as its author wrote it; validated: with the global `train` and `infer`
    laid under each model's own. A mistake in a global block is listed once, there.
    """
    problems = error.errors(include_url=False)
    mistakes = [
        _mistake(each, validated, experiment)
        for each in problems
        if not _is_laid_under_a_stage(each["loc"], validated)
    ]
    places = {(mistake.path, mistake.kind) for mistake in mistakes}
    told = [each for each in mistakes if not _is_inherited(each, places, written)]
    inner = {each.path[:depth] for each in told for depth in range(len(each.path))}
    # a union complains for each of its types; where one fits in form, only that one counts
    kept = [each for each in told if not (each.kind.endswith("_type") and each.path in inner)]
    groups = _by_place(kept)
    rest = [f"  … and {len(groups) - _MOST_LINES} more"] if len(groups) > _MOST_LINES else []
    return [_line(group) for group in groups[:_MOST_LINES]] + rest


def _mistake(problem: Any, validated: Mapping[str, Any], experiment: type[BaseModel]) -> Mistake:
    kind, location = problem["type"], problem["loc"]
    missing = location[-1:] if kind == "missing" else ()
    lacking = [_Position(each) if isinstance(each, int) else each for each in missing]
    path = (*_real_path(location[: len(location) - len(missing)], validated), *lacking)
    message = problem["msg"].removeprefix("Value error, ").removeprefix("Input ")
    hint = ""
    if kind == "extra_forbidden" and tuple(path[-2:]) in GONE:
        hint = f"; {GONE[tuple(path[-2:])]}"
    elif kind == "extra_forbidden" and (around := _around_stage(path, experiment, validated)):
        hint = f"; all stages have the same: set {around}"
    elif kind == "extra_forbidden":
        hint = did_you_mean(
            str(path[-1])[:_LONGEST_KEY], _keys_of(path[:-1], experiment, validated)
        )
    elif kind == "literal_error":
        hint = did_you_mean(
            str(problem["input"])[:_LONGEST_KEY], _choices(problem["ctx"]["expected"])
        )
    words = _WORDS.get(kind, message)
    return Mistake(path, _KEY if _KEY in location else kind, words, problem["input"], hint)


def _real_path(location: Path, value: Any) -> Path:
    """The parts of `location` that are keys or positions in `value`, without names of types."""
    path: list[Any] = []
    for part in location:
        is_position = isinstance(value, list | tuple)
        try:
            value = value[part]
        except (LookupError, TypeError):
            continue
        path.append(_Position(part) if is_position else part)
    return tuple(path)


def _around_stage(path: Path, experiment: type[BaseModel], validated: Mapping[str, Any]) -> str:
    """The key of `train` that a stage tries to change; empty where it is none."""
    *above, stages, _, key = ("", "", *path)
    block = path[: len(above) - 2]
    if stages != "stages" or key not in {*_keys_of(block, experiment, validated)} - {stages}:
        return ""
    return _dotted((*block, key))


def _is_laid_under_a_stage(location: Path, validated: Mapping[str, Any]) -> bool:
    """True for a key of a block that a stage has only from `train`, where it is listed itself."""
    if "stages" not in location:
        return False
    block = location.index("stages") + 3
    above, value = _real_path(location[:block], validated), validated
    if len(above) != block or len(location) == block:
        return False
    for part in above:
        value = value[part]
    is_merged = location[block - 1] in MERGED_BLOCKS and isinstance(value, Mapping)
    return is_merged and location[block] not in value


def _is_inherited(
    mistake: Mistake, places: set[tuple[Path, str]], written: Mapping[str, Any]
) -> bool:
    """True if a model only inherits the mistake from the global block."""
    models, *_ = mistake.path or ("",)
    if models != "models" or (mistake.path[2:], mistake.kind) not in places:
        return False
    return _real_path(mistake.path, written) != mistake.path


def _by_place(mistakes: Iterable[Mistake]) -> list[list[Mistake]]:
    """All mistakes of one value in one line: each type of a union has its own."""
    places: dict[tuple[Path, bool], list[Mistake]] = {}
    for each in mistakes:
        places.setdefault((each.path, each.kind == _KEY), []).append(each)
    return list(places.values())


def _line(mistakes: list[Mistake]) -> str:
    first = mistakes[0]
    key = _dotted(first.path)
    if first.kind == "missing":
        return f"  {key}: is required"
    if first.kind == "extra_forbidden":
        return f"  {key}: no such key{first.hint}"
    message = " or ".join(dict.fromkeys(each.message for each in mistakes))[:_LONGEST_MESSAGE]
    hint = "" if len(mistakes) > 1 else first.hint
    if first.kind == "value_error" and isinstance(first.value, Mapping):
        return f"  {key}: {message}{hint}" if key else f"  {message}{hint}"
    return f"  {key}: {shortened(first.value)}: {message}{hint}"


def _dotted(path: Path) -> str:
    """A path as people write it: `train.stages[1].size`."""
    parts = [
        f"[{each:d}]" if isinstance(each, _Position) else f".{_readable(each)}" for each in path
    ]
    return "".join(parts).removeprefix(".")


def _readable(part: Any) -> str:
    """A key as it may stand on a terminal, however long and odd it is."""
    text = str(part) if len(str(part)) <= _LONGEST_KEY else f"{str(part)[:_LONGEST_KEY]}…"
    return text if text.isprintable() else repr(text)


def _choices(expected: str) -> list[str]:
    return expected.replace(" or ", ", ").replace("'", "").split(", ")


def _keys_of(path: Path, experiment: type[BaseModel], written: Any) -> list[str]:
    """The valid keys of the block at `path`, of those that what is written there may be."""
    blocks = [experiment]
    for part in path:
        blocks = [inner for block in blocks for inner in _inside(block, part)]
        written = written[part]
    fitting = [block for block in blocks if _may_be(block, written)]
    return list(dict.fromkeys(key for block in fitting for key in fields_by_key(block)))


def _inside(block: type[BaseModel], key: Any) -> list[type[BaseModel]]:
    field = fields_by_key(block).get(key)
    return [block] if field is None else _blocks_of(field.annotation)


def _may_be(block: type[BaseModel], written: Any) -> bool:
    """False where a block is of another kind by a key with one value, such as `name: dice`."""
    fixed = {
        key: get_args(field.annotation)
        for key, field in fields_by_key(block).items()
        if field.is_required() and get_origin(field.annotation) is Literal
    }
    return all(written.get(key) in values for key, values in fixed.items())


def _blocks_of(annotation: Any) -> list[type[BaseModel]]:
    if is_block(annotation):
        return [annotation]
    if get_origin(annotation) in (Union, types.UnionType, dict, tuple, Annotated):
        return [block for inner in get_args(annotation) for block in _blocks_of(inner)]
    return []
