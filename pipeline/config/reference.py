"""The pages that are made from the blocks of an experiment: all keys, and the schema of them.

`python -m pipeline.config.reference docs` writes `configuration.md` and `experiment.schema.json`.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

from pipeline.config.base import Block, fields_by_key
from pipeline.config.experiment import Experiment, ModelConfig
from pipeline.config.merging import LENGTHS
from pipeline.config.schema import Schema, blocks_by_name, class_doc, experiment_schema

PAGE = "configuration.md"
SCHEMA = "experiment.schema.json"

_INTRODUCTION = """# Configuration

<!-- Made by `python -m pipeline.config.reference docs`; edit the docstrings in pipeline/config. -->

An experiment is one YAML file. Every mistake is reported at once, with its key, its value and the
nearest valid name. `SET='train.epochs=2'` replaces any key on the command line.

- `extends: base.yaml` inherits from another file, relative to this one. Blocks are merged key by
  key; `classes`, `loss`, `metric` and `weights` are replaced as a whole; `models: {name: null}`
  leaves a model out. A chain has at most 100 files.
- Any key of `input`, `train` and `infer` may be repeated under a model to override the global one.
- Bounds: a file has at most 512 KiB, an experiment at most 200 models, an image at most 2^28
  pixels.
- `experiment.schema.json` beside this page is a JSON schema, so that editors complete and check
  keys. Editors with a YAML language server read it from the first line of a file:
  `# yaml-language-server: $schema=../docs/experiment.schema.json`.
"""
_WORDS = {"integer": "whole number", "number": "number", "string": "text", "null": "`null`"}


def pages() -> dict[str, str]:
    """The expected content of the files, by name."""
    schema = experiment_schema()
    sections = [_INTRODUCTION, *_sections("", Experiment, schema)]
    return {
        PAGE: "\n".join(sections),
        SCHEMA: json.dumps(schema, indent=1, ensure_ascii=False) + "\n",
    }


def _sections(path: str, block: type[Block], schema: Schema, which: str = "") -> Iterator[str]:
    """The section of a block, then those of the blocks below it.

    which: the key that only this block has, where another has the same path.
    """
    part = schema["$defs"][block.__name__] if path else schema
    title = f"`{path}`" if path else "The whole file"
    title += f" with `{which}`" if which else ""
    level = "###" if "." in path and block is not ModelConfig else "##"
    yield f"{level} {title}\n\n{class_doc(block)}\n"
    yield "| key | value | default | meaning |\n|---|---|---|---|"
    for key, value in part["properties"].items():
        yield _row(path, block, key, value)
    yield ""
    for key, value in part["properties"].items():
        for place, inner in enumerate(dict.fromkeys(_blocks_of(value))):
            if _overridden(path, key) is None:
                which = _required(inner) if place else ""
                yield from _sections(_below(path, key), inner, schema, which)


def _required(block: type[Block]) -> str:
    """The first key that a block must have, with its value where there is only one."""
    fields = fields_by_key(block)
    key = next(key for key, field in fields.items() if field.is_required())
    values = get_args(fields[key].annotation)
    return f"{key}: {values[0]}" if len(values) == 1 else key


def _row(path: str, block: type[Block], key: str, value: Schema) -> str:
    above = _overridden(path, key)
    place = re.sub(r"[^\w-]", "", above or _below(path, key))
    kind = _kind(value, f"[block](#{place})")
    default = _default(block, key) if above is None else f"`{above}`"
    cells = (f"`{key}`", kind, default, value["description"])
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _below(path: str, key: str) -> str:
    name = f"{path}.{key}" if path else key
    return "models.<name>" if name == "models" else name


def _overridden(path: str, key: str) -> str | None:
    """The key that a key of a model, or of a stage, overrides; it has its own place on the page."""
    if path == "models.<name>" and key in Experiment.model_fields:
        return key
    is_of_stage = path == "train.stages" and key not in LENGTHS
    return f"train.{key}" if is_of_stage else None


def _blocks_of(value: Schema) -> Iterator[type[Block]]:
    """The blocks that a value may be."""
    if "$ref" in value:
        yield blocks_by_name()[value["$ref"].rpartition("/")[2]]
    listed = (value["items"],) if isinstance(value.get("items"), dict) else ()
    patterns = value.get("patternProperties", {}).values()
    for each in (*value.get("anyOf", ()), *patterns, *listed):
        yield from _blocks_of(each)


def _kind(value: Schema, link: str) -> str:
    """The type of a value in words, with its bounds."""
    if "anyOf" in value:
        several = [_kind(each, link) for each in value["anyOf"]]
        blocks = [each for each in value["anyOf"] if "$ref" in each]
        # that a block may be empty is said once for all
        kept = [each for each in several if not (len(several) == 2 and blocks and "null" in each)]
        return " or ".join(dict.fromkeys(kept))
    if "$ref" in value or "patternProperties" in value:
        return link
    if "enum" in value or "const" in value:
        return ", ".join(f"`{each}`" for each in value.get("enum", [value.get("const")]))
    if value.get("type") == "boolean":
        return "`true`, `false`"
    if value.get("type") == "array":
        return _list(value, link)
    if value.get("type") == "object":
        inner = value.get("additionalProperties")
        return f"name: {_kind(inner, link)}" if isinstance(inner, dict) else "name: value"
    kinds = value.get("type", "string")
    return " or ".join(_WORDS[each] for each in ([kinds] if isinstance(kinds, str) else kinds)) + (
        _bounds(value)
    )


def _list(value: Schema, link: str) -> str:
    parts = value.get("prefixItems") or [value["items"]] * value.get("maxItems", 0)
    if value.get("maxItems") == 2:
        whole = all(each.get("type") == "integer" for each in parts)
        return "[H, W]" if whole else f"[{', '.join(_kind(each, link) for each in parts)}]"
    return f"list: {_kind(value['items'], link)}"


def _bounds(value: Schema) -> str:
    words = {
        "minimum": " from",
        "exclusiveMinimum": " above",
        "maximum": " to",
        "exclusiveMaximum": " below",
    }
    given = [f"{word} {_plain(value[key])}" for key, word in words.items() if key in value]
    return ",".join(given) if "exclusiveMaximum" in value else "".join(given)


def _plain(number: float) -> str:
    return str(number) if isinstance(number, int) else f"{number:g}"


def _default(block: type[Block], key: str) -> str:
    fields = fields_by_key(block)
    if key not in fields:
        return ""
    if fields[key].is_required():
        return "required"
    default = fields[key].get_default()
    return "" if isinstance(default, Block) else f"`{_as_yaml(default)}`"


def _as_yaml(value: Any) -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(map(_as_yaml, value))}]"
    if isinstance(value, bool) or value is None:
        return json.dumps(value)
    if isinstance(value, float):
        return f"{value:g}"
    return str(value) if value not in ("", "-") else f"'{value}'"


def write_pages(folder: Path) -> list[Path]:
    """Write both files into a folder; their paths."""
    written = []
    for name, text in pages().items():
        (folder / name).write_text(text, encoding="utf-8")
        written.append(folder / name)
    return written


if __name__ == "__main__":
    write_pages(Path(sys.argv[1]))
