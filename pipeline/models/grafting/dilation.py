"""Dilates a backbone's last stages, so that they keep their resolution and their weights.

A layer that halved no longer does; every layer behind it spreads its kernel by as much
(Chen et al. 2016, arXiv 1606.00915; PSPNet and DeepLab need it). Which layers those are, and by how
much, comes from the dry run: a layer that used to see cells of r pixels and now sees cells of
o pixels is dilated by r / o. Hybrid dilated convolution (Wang et al. 2018, arXiv 1702.08502) takes
other rates, one after the other, so that no cell in between is left out.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import cycle
from typing import Any

from torch import nn

from pipeline.models.grafting.probe import Trace

_POOLS = (nn.MaxPool2d, nn.AvgPool2d)
# By what a stage would shrink further: in a ResNet at a stride of 8 stage 3, and stage 4.
HYBRID_RATES = {2: (1, 2, 5, 9), 4: (5, 9, 17)}


def dilate(
    backbone: nn.Module,
    trace: Trace,
    output_stride: int,
    hybrid: bool = False,
    whole_stages: bool = False,
) -> Callable[[], None]:
    """Change strides into dilations beyond `output_stride`; returns what undoes it.

    hybrid: the convolutions of a stage take HYBRID_RATES in turn. whole_stages: the layer that
    halved is dilated as those behind it, as segmentation-models-pytorch does.
    """
    in_turn = {shrinking: cycle(rates) for shrinking, rates in HYBRID_RATES.items()}
    changed: list[tuple[nn.Module, dict[str, Any]]] = []
    for event in trace.events:
        module = backbone.get_submodule(event.name)
        reduction = _reduction(event.given, trace.size)
        settings: dict[str, Any] = {}
        if reduction >= output_stride and isinstance(module, nn.Conv2d):
            rate = reduction // output_stride
            shrinking = _reduction(event.shape, trace.size) // output_stride
            if whole_stages:
                rate = max(rate, shrinking)
            if hybrid and shrinking in in_turn and _has_centre(module):
                rate = next(in_turn[shrinking])
            settings = _dilated_convolution(module, rate)
        elif reduction >= output_stride and isinstance(module, _POOLS):
            settings = _pool_without_stride(module)
        if settings:
            changed.append((module, {name: getattr(module, name) for name in settings}))
            _set(module, settings)

    def undo() -> None:
        for module, settings in reversed(changed):
            _set(module, settings)

    return undo


def _reduction(shape: tuple[int, ...], size: tuple[int, int]) -> int:
    """Pixels a cell of what has that shape, a power of two; 0 when it is no map."""
    if len(shape) != 4 or shape[2] < 2:
        return 0
    return int(2 ** round(math.log2(size[0] / shape[2])))


def _has_centre(module: nn.Conv2d) -> bool:
    """True for a kernel that looks beyond its cell, evenly on both sides."""
    return max(module.kernel_size) > 1 and all(side % 2 for side in module.kernel_size)


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
