"""A dry run of a network: the output shape of each module, without computing anything.

The run is made on meta tensors (shapes without storage), so that it costs no arithmetic, no
memory and no random numbers, whatever the size of the network.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import Node
from torch.func import functional_call

from pipeline.models.grafting.dataflow import graph_nodes

# Between them divisible by every stride and window in use (2..64, and 7, 14, 56); one side twice
# the other, so that a stride shows as their difference and the axes can be told apart.
PROBE_SIZES = ((256, 512), (224, 448))


@dataclass(frozen=True)
class Event:
    """One module's output in a dry run.

    given: the shape of its first input; shape, node: of its output.
    overwritten: whether something later has changed that output in place.
    """

    name: str
    given: tuple[int, ...]
    shape: tuple[int, ...]
    node: Node | None
    overwritten: bool


@dataclass(frozen=True)
class Trace:
    """All events of a dry run on an image of `size` (H, W), in order of completion, and its graph.

    parameters: the graph's leaf of every parameter that the run has used, by name.
    """

    size: tuple[int, int]
    events: tuple[Event, ...]
    output_node: Node | None
    input_node: Node | None
    parameters: dict[str, Node]


@dataclass(frozen=True)
class _Call:
    name: str
    given: tuple[int, ...]
    output: Tensor
    version: int
    node: Node | None

    def event(self) -> Event:
        # an in-place operation on an output shows as a raised version counter
        overwritten = self.output._version != self.version
        return Event(self.name, self.given, tuple(self.output.shape), self.node, overwritten)


class WithFeatures(nn.Module):
    """Runs a backbone up to its head, where it says how; callable through functional_call."""

    def __init__(self, backbone: nn.Module) -> None:
        super().__init__()
        self.backbone = backbone

    def forward(self, images: Tensor) -> Any:
        return features_forward(self.backbone)(images)


def features_forward(backbone: nn.Module) -> Callable[[Tensor], Any]:
    """The backbone's own forward pass up to its head, where it has such a method."""
    forward = getattr(backbone, "forward_features", None)
    return forward if callable(forward) else backbone.forward


def trace(backbone: nn.Module, size: tuple[int, int]) -> Trace:
    """Dry-run `backbone` in eval mode on one RGB image of `size` (H, W) and list its events.

    Raises whatever the network raises when it refuses that size.
    """
    calls: list[_Call] = []
    state = _on_meta(backbone)
    source = torch.empty(1, 3, *size, device="meta", requires_grad=True)
    with _watched(backbone, calls), in_eval_mode(backbone), torch.enable_grad():
        images = source * 1.0
        output = functional_call(WithFeatures(backbone), state, (images,), tie_weights=False)
    last = _last_tensor(output)
    output_node = None if last is None else last.grad_fn
    leaves = _leaves(state, [call.node for call in calls])
    events = tuple(call.event() for call in calls)
    return Trace(size, events, output_node, images.grad_fn, leaves)


@contextmanager
def recorded(backbone: nn.Module, names: Sequence[str]) -> Iterator[dict[str, Tensor]]:
    """Within the block, the latest outputs of the named modules, by name."""
    outputs: dict[str, Tensor] = {}
    hooks = [
        backbone.get_submodule(name).register_forward_hook(
            lambda _module, _inputs, output, name=name: outputs.__setitem__(name, output)
        )
        for name in names
    ]
    try:
        yield outputs
    finally:
        for hook in hooks:
            hook.remove()


def own_tensors(backbone: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """Parameters and buffers, once for each module that holds them.

    A module in two places counts once (replacing its tensors twice could not be undone), a tensor
    in two modules twice.
    """
    for prefix, module in backbone.named_modules():
        for named in (module.named_parameters, module.named_buffers):
            for name, tensor in named(recurse=False):
                yield f"{prefix}.{name}" if prefix else name, tensor


@contextmanager
def _watched(backbone: nn.Module, calls: list[_Call]) -> Iterator[None]:
    """Within the block, every call of a submodule that gives a tensor is noted in `calls`."""

    def note(name: str, inputs: tuple[Any, ...], output: Any) -> None:
        if isinstance(output, Tensor):
            first = inputs[0] if inputs else None
            given = tuple(first.shape) if isinstance(first, Tensor) else ()
            calls.append(_Call(name, given, output, output._version, output.grad_fn))

    hooks = [
        module.register_forward_hook(
            lambda _module, inputs, output, name=name: note(name, inputs, output)
        )
        for name, module in backbone.named_modules()
        if name
    ]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


@contextmanager
def in_eval_mode(backbone: nn.Module) -> Iterator[None]:
    """Within the block, the network is in eval mode."""
    training = backbone.training
    try:
        backbone.eval()
        yield
    finally:
        backbone.train(training)


def _on_meta(backbone: nn.Module) -> dict[str, Tensor]:
    """The whole state without its values; a tensor that several modules share stays shared."""
    twins: dict[int, Tensor] = {}
    state: dict[str, Tensor] = {}
    for name, tensor in own_tensors(backbone):
        twin = tensor.detach().to("meta").requires_grad_(tensor.requires_grad)
        state[f"backbone.{name}"] = twins.setdefault(id(tensor), twin)
    return state


def _leaves(state: dict[str, Tensor], nodes: Iterable[Node | None]) -> dict[str, Node]:
    leaves = {id(getattr(node, "variable", None)): node for node in graph_nodes(nodes)}
    return {
        name.removeprefix("backbone."): leaves[id(tensor)]
        for name, tensor in state.items()
        if id(tensor) in leaves
    }


def _last_tensor(output: Any) -> Tensor | None:
    while isinstance(output, (tuple, list)) and output:
        output = output[-1]
    return output if isinstance(output, Tensor) else None
