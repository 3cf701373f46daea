"""The JSON schema of an experiment, by which editors complete and check YAML.

Types, bounds and defaults are those of the blocks, descriptions the docstrings of their fields.
Nothing is required, because `extends` may provide it; the stages report missing keys.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Iterator
from typing import Any

from pipeline.config.base import Block
from pipeline.config.experiment import Experiment

Schema = dict[str, Any]

_SIDES: Schema = {"type": "array", "items": {"type": "integer"}, "minItems": 2, "maxItems": 2}
_NAMES: Schema = {"type": "array", "items": {"type": ["string", "integer"]}, "minItems": 1}
_WEIGHTS: Schema = {
    "type": "object",
    "additionalProperties": {"type": "number", "exclusiveMinimum": 0},
    "minProperties": 1,
}
_ALSO: dict[tuple[str, str], Schema] = {
    ("DataConfig", "classes"): _NAMES,
    ("InferConfig", "tile"): _SIDES,
    ("TrainConfig", "loss"): _WEIGHTS,
    ("TrainConfig", "size"): {"type": "integer"},
    ("StageConfig", "loss"): _WEIGHTS,
    ("StageConfig", "size"): {"type": "integer"},
}
"""Short forms that validators take besides the field's own type, by block and key."""
_EXTENDS: Schema = {
    "type": "string",
    "description": "Another YAML file, relative to this one, over which this one is laid.",
}


def experiment_schema() -> Schema:
    """The schema of a whole YAML file (JSON Schema 2020-12)."""
    schema = Experiment.model_json_schema()
    for name, block in blocks_by_name().items():
        part = schema if block is Experiment else schema["$defs"].get(name)
        if part is not None:  # a base class has no place of its own
            _complete(part, block)
    for name in ("TrainConfig", "StageConfig"):
        _allow_names_of_losses(schema["$defs"][name]["properties"]["loss"])
    for key in schema["properties"].keys() & schema["$defs"]["ModelConfig"]["properties"]:
        # a model's own default is what the experiment says
        schema["$defs"]["ModelConfig"]["properties"][key].pop("default", None)
    models = schema["properties"]["models"]
    taken_out = [{"$ref": "#/$defs/ModelConfig"}, {"type": "null"}]
    models["patternProperties"] = {key: {"anyOf": taken_out} for key in models["patternProperties"]}
    models["additionalProperties"] = False
    schema["properties"] = {"extends": _EXTENDS, **schema["properties"]}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def _allow_names_of_losses(loss: Schema) -> None:
    """A term may be a name alone, and one term may stand without a list around it."""
    listed = next(each for each in loss["anyOf"] if each.get("type") == "array")
    term = {"anyOf": [{"type": "string"}, *listed["items"].pop("oneOf")]}
    listed |= {"items": term, "minItems": 1}
    loss["anyOf"] = [*term["anyOf"], *loss["anyOf"]]


def blocks_by_name() -> dict[str, type[Block]]:
    """The blocks of an experiment, by the names of their classes; not those of other settings."""
    own = (block for block in _below(Block) if block.__module__.startswith("pipeline.config."))
    return {block.__name__: block for block in own}


def field_docs(block: type[Block]) -> dict[str, str]:
    """The docstring below each field, on one line; LookupError names a field that has none."""
    docs: dict[str, str] = {}
    for each in reversed(block.__mro__):
        if issubclass(each, Block) and each is not Block:
            docs |= dict(_docs_in(each))
    if bare := [name for name in block.model_fields if name not in docs]:
        raise LookupError(f"{block.__name__}: fields without a docstring: {', '.join(bare)}")
    return docs


def class_doc(block: type[Block]) -> str:
    """The docstring of a block, each paragraph on one line."""
    paragraphs = inspect.cleandoc(block.__doc__ or "").split("\n\n")
    return "\n\n".join(" ".join(each.split()) for each in paragraphs)


def _below(block: type[Block]) -> Iterator[type[Block]]:
    for each in block.__subclasses__():
        if each.__module__.startswith("pipeline."):  # tests have blocks of their own
            yield each
            yield from _below(each)


def _docs_in(block: type[Block]) -> Iterator[tuple[str, str]]:
    (tree,) = ast.parse(textwrap.dedent(inspect.getsource(block))).body
    assert isinstance(tree, ast.ClassDef)
    for field, below in zip(tree.body, tree.body[1:], strict=False):
        if not isinstance(field, ast.AnnAssign) or not isinstance(field.target, ast.Name):
            continue
        if isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant):
            yield field.target.id, " ".join(str(below.value.value).split())


def _complete(part: Schema, block: type[Block]) -> None:
    """Add descriptions and short forms to the schema of one block, and drop what misleads."""
    part.pop("required", None)
    part["description"] = class_doc(block)
    docs = field_docs(block)
    for name, field in block.model_fields.items():
        key = field.alias or name
        value: Schema = part["properties"][key]
        value.pop("title", None)
        if "oneOf" in value:  # a block with a key or two may be any of them yet
            value = {"anyOf": value.pop("oneOf"), **value}
        if "oneOf" in (items := value.get("items", {})):
            value = {**value, "items": {"anyOf": items["oneOf"]}}
        if "$ref" in value:  # `train:` with nothing below it is no mistake
            value = {"anyOf": [{"$ref": value["$ref"]}, {"type": "null"}]}
        if short := _ALSO.get((block.__name__, key)):
            default = {"default": value.pop("default")} if "default" in value else {}
            value = {"anyOf": [*value.get("anyOf", [value]), short], **default}
        part["properties"][key] = {**value, "description": docs[name]}
