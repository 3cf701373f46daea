"""Removes the layers behind the last tap, whose parameters would never get a gradient."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from torch import nn

from pipeline.models.grafting.dataflow import graph_nodes
from pipeline.models.grafting.probe import Trace


class Skipped(nn.Module):
    """Replaces an unused module; returns its first argument."""

    def forward(self, first: Any = None, *_: Any, **__: Any) -> Any:
        return first


def prune(
    backbone: nn.Module, trace: Trace, taps: Iterable[str], works: Callable[[], bool]
) -> None:
    """Replace the outermost modules whose parameters no tap depends on; freeze what is left.

    works: whether the pruned network still runs and its taps still fit; when they do not, all
    is put back, and the unused parameters stay, frozen.
    """
    nodes = [event.node for event in trace.events if event.name in set(taps)]
    behind = graph_nodes(nodes)
    used = {name for name, node in trace.parameters.items() if node in behind}
    removed = {
        name: replace_module(backbone, name, Skipped())
        for name in list(_unused_modules(backbone, used))
    }
    if removed and not works():
        for name, module in removed.items():
            replace_module(backbone, name, module)
    for name, parameter in backbone.named_parameters():
        if name not in used:
            parameter.requires_grad_(False)


def replace_module(backbone: nn.Module, name: str, module: nn.Module) -> nn.Module:
    """Put `module` where the submodule `name` is; returns that."""
    parent_name, _, attribute = name.rpartition(".")
    parent = backbone.get_submodule(parent_name)
    old = parent.get_submodule(attribute)
    setattr(parent, attribute, module)
    return old


def _unused_modules(backbone: nn.Module, used: set[str]) -> Iterable[str]:
    gone = ""
    for name, module in backbone.named_modules():
        if not name or (gone and name.startswith(gone)):
            continue
        parameters = [f"{name}.{inner}" for inner, _ in module.named_parameters()]
        if parameters and used.isdisjoint(parameters):
            gone = f"{name}."
            yield name
