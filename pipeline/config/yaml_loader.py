"""YAML without code, without repeated keys, and without exponential expansion of aliases."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from typing import Any

import yaml

MOST_DEPTH = 40
"""Levels of an experiment; the deepest that is valid has six."""
_MOST_NODES = 25_000
_MOST_MERGED = 100_000
_LONGEST_NUMBER = 40
"""Digits; longer ones stay text, since Python refuses to print numbers of thousands of digits."""
_MERGE = "tag:yaml.org,2002:merge"

Pair = tuple[yaml.Node, yaml.Node]


def _refusal(problem: str, node: yaml.Node) -> yaml.constructor.ConstructorError:
    return yaml.constructor.ConstructorError(None, None, problem, node.start_mark)


class StrictLoader(yaml.SafeLoader):
    """Refuses a key given twice and numbers of another base, knows 1e-4 for a number, and bounds
    nesting and merging (<<).
    """

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._depth = self._nodes = self._merged = 0
        self._merging: list[yaml.Node] = []

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        self._depth += 1
        self._nodes += 1
        try:
            node = super().compose_node(parent, index) if self._depth <= MOST_DEPTH else None
        finally:
            self._depth -= 1
        if node is None or self._nodes > _MOST_NODES:
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            problem = f"more than {MOST_DEPTH} levels" if node is None else "too many values"
            raise yaml.composer.ComposerError(None, None, problem, mark)
        return node

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        node: yaml.MappingNode = super().compose_mapping_node(anchor)
        seen = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value in seen:
                raise _refusal(f"the key {key.value[:80]!r} is given twice", key)
            seen.add(key.value if isinstance(key, yaml.ScalarNode) else key)
        return node

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        """Lay a mapping over those that it merges, each key once.

        PyYAML's own keeps every copy of a key until the end: nine merges of nine merges of … are
        gigabytes before anyone can count them.
        """
        sources = [value for key, value in node.value if key.tag == _MERGE]
        if not sources:
            return super().flatten_mapping(node)  # it knows `=` for a key
        if node in self._merging or len(self._merging) > MOST_DEPTH:
            raise _refusal("merge keys (<<) refer to themselves", node)
        self._merging.append(node)
        pairs: dict[Any, Pair] = {}
        for pair in itertools.chain.from_iterable(map(self._merged_pairs, sources)):
            pairs.setdefault(_key_of(pair[0]), pair)
        own = [pair for pair in node.value if pair[0].tag != _MERGE]
        node.value = list((pairs | {_key_of(pair[0]): pair for pair in own}).values())
        self._merging.pop()
        return None

    def _merged_pairs(self, source: yaml.Node) -> Iterator[Pair]:
        """The keys that one `<<` merges: of a mapping, or of several, the first of which wins."""
        several = isinstance(source, yaml.SequenceNode)
        for each in source.value if several else [source]:
            if not isinstance(each, yaml.MappingNode):
                raise _refusal("a merge key (<<) takes mappings only", each)
            self.flatten_mapping(each)
            self._merged += 1 + len(each.value)
            if self._merged > _MOST_MERGED:
                raise _refusal("its merge keys (<<) expand to too many values", source)
            yield from each.value

    def construct_yaml_int(self, node: yaml.ScalarNode) -> Any:
        if len(node.value) > _LONGEST_NUMBER:
            return node.value
        return _unless_other_base(node, super().construct_yaml_int(node))

    def construct_yaml_float(self, node: yaml.ScalarNode) -> Any:
        return _unless_other_base(node, super().construct_yaml_float(node))


def _unless_other_base(node: yaml.ScalarNode, value: float) -> float:
    """The value; a refusal where YAML 1.1 reads 010 as octal or 1:30 as sexagesimal."""
    if ":" in node.value or re.fullmatch(r"[-+]?0[0-7_]+", node.value):
        text = node.value
        raise _refusal(f"YAML reads {text} as {value}; write '{text}' for text, or {value}", node)
    return value


def _key_of(key: yaml.Node) -> Any:
    """The identity of a key of a mapping, before it is a value."""
    return (key.tag, key.value) if isinstance(key, yaml.ScalarNode) else id(key)


StrictLoader.add_constructor("tag:yaml.org,2002:int", StrictLoader.construct_yaml_int)
StrictLoader.add_constructor("tag:yaml.org,2002:float", StrictLoader.construct_yaml_float)
# YAML 1.1 wants a dot before an exponent. Only signed ones, because 12e4 may be an id.
StrictLoader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?\d+(\.\d*)?[eE][-+]\d+$"), list("-+0123456789")
)
