"""Dependencies inside a network, read from its autograd graph."""

from __future__ import annotations

from collections.abc import Iterable

from torch.autograd.graph import Node


def parents(node: Node) -> list[Node]:
    """The nodes that `node` directly depends on."""
    return [parent for parent, _ in node.next_functions if parent is not None]


def graph_nodes(starts: Iterable[Node | None]) -> set[Node]:
    """Every node of the autograd graph that the given ones depend on."""
    seen: set[Node] = set()
    stack = [node for node in starts if node is not None]
    while stack:
        node = stack.pop()
        if node not in seen:
            seen.add(node)
            stack.extend(parents(node))
    return seen


def cut_nodes(output: Node | None, source: Node | None) -> set[Node]:
    """The nodes of the autograd graph that every path from `source` to `output` goes through."""
    between = _depending_on(source, _topological(output))
    position = {node: place for place, node in enumerate(between)}
    cuts: set[Node] = set()
    # going back from the output: the place furthest back that an edge seen so far leads to
    reach = 0
    for place, node in enumerate(between):
        if place >= reach:
            cuts.add(node)
        inputs = [position[parent] for parent in parents(node) if parent in position]
        reach = max([reach, *inputs])
    return cuts


def _topological(output: Node | None) -> list[Node]:
    """All nodes that `output` depends on, each before the ones it depends on."""
    done: list[Node] = []
    seen: set[Node] = set()
    stack: list[tuple[Node, bool]] = [(output, False)] if output is not None else []
    while stack:
        node, finished = stack.pop()
        if finished:
            done.append(node)
        elif node not in seen:
            seen.add(node)
            stack.append((node, True))
            stack.extend((parent, False) for parent in parents(node) if parent not in seen)
    return done[::-1]


def _depending_on(source: Node | None, order: list[Node]) -> list[Node]:
    """The nodes of `order` from which `source` can be reached, in the same order."""
    reaching: set[Node] = set()
    for node in reversed(order):
        if node == source or any(parent in reaching for parent in parents(node)):
            reaching.add(node)
    return [node for node in order if node in reaching]
