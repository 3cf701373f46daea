"""Reads YAML as untrusted text: no code, no key twice, no text that blows up."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from pipeline.config.base import nearest
from pipeline.errors import ConfigError

_MOST_BYTES = 2**22
_MOST_VALUES = 10**6


class _StrictLoader(yaml.SafeLoader):
    """YAML without code, that refuses a key given twice and knows 1e-4 for a number."""

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        node: yaml.MappingNode = super().compose_mapping_node(anchor)
        seen = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key.value!r} is given twice", key.start_mark
                )
            seen.add(key.value if isinstance(key, yaml.ScalarNode) else key)
        return node


# YAML 1.1 wants a dot before an exponent. Only signed ones, because 12e4 may be an id.
_StrictLoader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?\d+(\.\d*)?[eE][-+]\d+$"), list("-+0123456789")
)


def parse_yaml(text: str, where: str) -> Any:
    """What `text` says; ConfigError, with `where` before it, when it says nothing sensible."""
    try:
        value = yaml.load(text, _StrictLoader)
    # PyYAML's own constructors let these out for `!!int x`, `!!bool x`, `!!timestamp x`, [[[[…
    except (yaml.YAMLError, ValueError, LookupError, AttributeError, RecursionError) as error:
        raise ConfigError(f"{where} cannot be read as YAML: {error}") from None
    _refuse_endless(value, where)
    return value


def read_yaml(path: Path) -> dict[str, Any]:
    """The mapping in a file; ConfigError naming the file, or the nearest one when it is missing."""
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise ConfigError(f"{path} is larger than any experiment; is it one?")
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        known = [str(each) for each in sorted(path.parent.glob("*.yaml"))]
        raise ConfigError(f"there is no experiment {path}{nearest(str(path), known)}") from None
    except (UnicodeDecodeError, OSError) as error:
        raise ConfigError(f"{path} cannot be read as YAML: {error}") from None
    raw = parse_yaml(text, str(path))
    if not isinstance(raw, dict):
        raise ConfigError(f"{path} holds no experiment (a YAML mapping with name, data, models, …)")
    return raw


def _refuse_endless(value: Any, where: str) -> None:
    """A few aliases of aliases can stand for billions of values, and one for itself."""
    pending, count = [value], 0
    while pending:
        count += 1
        if count > _MOST_VALUES:
            raise ConfigError(f"{where}: its aliases (*name) stand for too many values")
        each = pending.pop()
        if isinstance(each, dict):
            pending += each.values()
        elif isinstance(each, list | tuple | set):
            pending += each
