"""Removes the layers behind the last tap, whose parameters would never get a gradient."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from torch import nn

from pipeline.models.grafting.dataflow import graph_nodes
from pipeline.models.grafting.probe import Trace


class Skipped(nn.Module):
    """Replaces an unused module; returns its first argument."""

    def forward(self, first: Any = None, *_: Any, **__: Any) -> Any:
        return first


@dataclass(frozen=True)
class Unused:
    """What of a network no tap depends on.

    modules: those that are removed. parameters: those that stay, frozen, since they cannot be.
    """

    modules: tuple[str, ...]
    parameters: tuple[str, ...]

    def take_out(self, backbone: nn.Module) -> None:
        """Remove the modules, and freeze the parameters."""
        for name in self.modules:
            replace_module(backbone, name, Skipped())
        for name in self.parameters:
            backbone.get_parameter(name).requires_grad_(False)


def prune(
    backbone: nn.Module, trace: Trace, taps: Iterable[str], works: Callable[[], bool]
) -> Unused:
    """Take out the outermost modules whose parameters no tap depends on; returns what that was.

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
        while removed:
            replace_module(backbone, *removed.popitem())
    frozen = [name for name, _ in backbone.named_parameters() if name not in used]
    unused = Unused(tuple(removed), tuple(frozen))
    unused.take_out(backbone)
    return unused


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
