"""Dilates a backbone's last stages, so that they keep their resolution and their weights.

A layer that halved no longer does; every layer behind it spreads its kernel by as much
(Chen et al. 2016, arXiv 1606.00915; PSPNet and DeepLab need it). Which layers those are, and by how
much, comes from the dry run: a layer that used to see cells of r pixels and now sees cells of
o pixels is dilated by r / o.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from torch import nn

from pipeline.models.grafting.probe import Event, Trace

_POOLS = (nn.MaxPool2d, nn.AvgPool2d)


def dilate(backbone: nn.Module, trace: Trace, output_stride: int) -> Callable[[], None]:
    """Change strides into dilations beyond `output_stride`; returns what undoes it."""
    changed: list[tuple[nn.Module, dict[str, Any]]] = []
    for event in trace.events:
        module = backbone.get_submodule(event.name)
        reduction = _input_reduction(event, trace.size)
        settings: dict[str, Any] = {}
        if reduction >= output_stride and isinstance(module, nn.Conv2d):
            settings = _dilated_convolution(module, reduction // output_stride)
        elif reduction >= output_stride and isinstance(module, _POOLS):
            settings = _pool_without_stride(module)
        if settings:
            changed.append((module, {name: getattr(module, name) for name in settings}))
            _set(module, settings)

    def undo() -> None:
        for module, settings in reversed(changed):
            _set(module, settings)

    return undo


def _input_reduction(event: Event, size: tuple[int, int]) -> int:
    """Pixels a cell of what the module is given, a power of two; 0 when it is no map."""
    if len(event.given) != 4 or event.given[2] < 2:
        return 0
    return int(2 ** round(math.log2(size[0] / event.given[2])))


def _dilated_convolution(module: nn.Conv2d, rate: int) -> dict[str, Any]:
    strided = max(module.stride) > 1
    if max(module.kernel_size) == 1:
        return {"stride": (1, 1)} if strided else {}
    if rate == 1 and not strided:
        return {}
    settings: dict[str, Any] = {"stride": (1, 1), "dilation": _times(module.dilation, rate)}
    even = any(side % 2 == 0 for side in module.kernel_size)
    if even:
        # a kernel as wide as its stride (patch merging) has no centre cell: let torch pad it
        settings["padding"] = "same"
    elif not isinstance(module.padding, str):
        settings["padding"] = _times(module.padding, rate)
    return settings


def _pool_without_stride(module: nn.Module) -> dict[str, Any]:
    if _largest(module.stride) == 1:
        return {}
    if _largest(module.kernel_size) % 2 == 0:
        return {"kernel_size": 1, "stride": 1, "padding": 0}
    return {"stride": 1}


def _set(module: nn.Module, settings: dict[str, Any]) -> None:
    for name, value in settings.items():
        setattr(module, name, value)


def _times(pair: tuple[int, ...], rate: int) -> tuple[int, ...]:
    return tuple(side * rate for side in pair)


def _largest(value: Any) -> int:
    return max(value) if isinstance(value, tuple) else int(value)
