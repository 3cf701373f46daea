"""Where to tap a backbone: its natural reduction points, found by a dry run.

A natural reduction point is the last activation of a given resolution that everything after it
depends on: a cut of the network's data flow. timm's own feature info is taken wherever the dry
run confirms it; the cuts fill in what it does not list or lists wrongly.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import nn

from pipeline.models.grafting.dataflow import cut_nodes
from pipeline.models.grafting.probe import Event, Trace
from pipeline.models.grafting.shapes import FeatureShape, read_feature_shape


@dataclass(frozen=True)
class Tap:
    """The module whose output is one level of the encoder, and how to read that output."""

    module: str
    shape: FeatureShape


def find_taps(backbone: nn.Module, trace: Trace) -> tuple[Tap, ...]:
    """The taps in order of stride, at most one a stride, none finer than 2.

    Where parallel branches leave a resolution without a cut (HRNet, CoaT), the last activation
    of that resolution is taken; where they leave none at all (CrossViT), the last of the run.
    """
    maps = _maps(trace)
    cuts = cut_nodes(trace.output_node, trace.input_node)
    found = _last([(event, tap) for event, tap in maps if event.node in cuts])
    found |= _listed_by_timm(backbone, maps)
    found = found or _last(maps[-1:])
    last = _last(maps).items()
    between = {stride: tap for stride, tap in last if min(found) < stride < max(found)}
    complete = between | found
    return tuple(complete[stride] for stride in sorted(complete) if stride > 1)


def _maps(trace: Trace) -> list[tuple[Event, Tap]]:
    """Every feature map of the run that nothing overwrites, in order of completion."""
    shapes = [(event, read_feature_shape(event.shape, trace.size)) for event in trace.events]
    return [
        (event, Tap(event.name, shape))
        for event, shape in shapes
        if shape is not None and not event.overwritten
    ]


def _last(maps: Sequence[tuple[Event, Tap]]) -> dict[int, Tap]:
    """The last of every stride."""
    return {tap.shape.stride: tap for _, tap in maps}


def _listed_by_timm(backbone: nn.Module, maps: Sequence[tuple[Event, Tap]]) -> dict[int, Tap]:
    """The taps in timm's feature info that the run confirms."""
    taps = {tap.module: tap for _, tap in maps}
    info = getattr(backbone, "feature_info", None) or []
    listed = [(taps.get(entry["module"]), entry["reduction"]) for entry in info]
    return {reduction: tap for tap, reduction in listed if tap and tap.shape.stride == reduction}


def events_by_name(trace: Trace) -> dict[str, Event]:
    """The last event of every module."""
    return {event.name: event for event in trace.events}
