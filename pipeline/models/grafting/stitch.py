"""An encoder whose early stages come from one network and whose late ones from another.

`resnet34[:2] + densenet121[2:]`: the first two levels (1/2, 1/4) are ResNet-34's, the other three
DenseNet-121's. The early network's last feature goes through a 1x1 adapter and comes out of the
late network where that level's own activation would: all of the late network up to there is
taken out.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from pipeline.errors import ConfigError
from pipeline.models.grafting.build import Wish, prepare
from pipeline.models.grafting.graft import Graft
from pipeline.models.grafting.plan import BEYOND, LEVELS, Plan, takes
from pipeline.models.grafting.probe import trace
from pipeline.models.grafting.prune import Skipped, replace_module
from pipeline.models.grafting.shapes import FeatureShape, from_nchw
from pipeline.models.grafting.taps import Tap

_PATTERN = re.compile(
    r"\s*(?P<early>\S+)\[:(?P<stop>\d)\]\s*\+\s*(?P<late>\S+)\[(?P<start>\d):\]\s*"
)


@dataclass(frozen=True)
class Seam:
    """Two networks and how many levels the early one gives."""

    early: str
    late: str
    levels: int


class Entrance(nn.Module):
    """Returns a given feature, in place of the module whose output it replaces."""

    def __init__(self, shape: FeatureShape) -> None:
        super().__init__()
        self.shape = shape
        self.feature: Tensor | None = None

    def forward(self, *_: Any, **__: Any) -> Tensor:
        assert self.feature is not None, "nothing was handed to the late network"
        return from_nchw(self.feature, self.shape.layout)


class Stitched(nn.Module):
    """Images N x C x H x W -> the features by level, as a Graft gives them."""

    def __init__(self, early: Graft, late: Graft, entrance: str, level: int) -> None:
        super().__init__()
        self.early = early
        self.late = late
        self.entrance = entrance
        self.level = level
        self.step = math.lcm(early.step, late.step)
        self.mean, self.std = early.mean, early.std
        self.output_stride = late.output_stride
        self.ends_with_pool = late.ends_with_pool
        self.channels = {
            **{each: count for each, count in early.channels.items() if each <= level},
            **{each: count for each, count in late.channels.items() if each > level},
        }
        entered = self._entrance().shape.channels
        self.adapter = nn.Sequential(
            nn.Conv2d(early.channels[level], entered, 1, bias=False), nn.BatchNorm2d(entered)
        )

    def forward(self, images: Tensor) -> dict[int, Tensor]:
        features: dict[int, Tensor] = self.early(images)
        entrance = self._entrance()
        entrance.feature = self.adapter(features[self.level])
        features |= self.late(images)
        # kept no longer than needed: it holds memory, and a model that holds it cannot be copied
        entrance.feature = None
        return features

    def _entrance(self) -> Entrance:
        entrance = self.late.backbone.get_submodule(self.entrance)
        assert isinstance(entrance, Entrance)
        return entrance


def parse_seam(encoder: str) -> Seam | None:
    """The two halves of `a[:2] + b[2:]`; None for a plain name; ConfigError for a bad seam."""
    if "[" not in encoder:
        return None
    match = _PATTERN.fullmatch(encoder)
    if match is None or match["stop"] != match["start"] or int(match["stop"]) not in range(1, 5):
        raise ConfigError(
            f"encoder {encoder!r}: write stitched networks as `resnet34[:2] + densenet121[2:]`, "
            f"with the same number, 1 to {len(LEVELS) - 1}, on both sides"
        )
    return Seam(match["early"], match["late"], int(match["stop"]))


def backbones_of(encoder: str) -> list[str]:
    """The networks that an encoder is made of; ConfigError for a bad seam."""
    seam = parse_seam(encoder)
    return [encoder] if seam is None else [seam.early, seam.late]


def make_stitched(seam: Seam, wish: Wish) -> Stitched:
    """The stitched encoder; ConfigError where a network lacks the level or cannot be cut there."""
    level = LEVELS[seam.levels - 1]
    early = Graft(*prepare(seam.early, replace(wish, output_stride=LEVELS[-1]), deepest=level))
    late, plan = prepare(seam.late, replace(wish, in_channels=3))
    for name, levels in ((seam.early, early.plan.levels), (seam.late, plan.levels)):
        if level not in levels:
            raise ConfigError(f"encoder {name!r} has no activation at 1/{level} to stitch at")
    entrance = plan.taps[plan.levels.index(level)]
    plan = plan.between(level, BEYOND)
    if not _cut_in(late, plan, entrance):
        raise ConfigError(f"encoder {seam.late!r} cannot be entered at 1/{level}")
    return Stitched(early, Graft(late, plan), entrance.module, level)


def _cut_in(backbone: nn.Module, plan: Plan, entrance: Tap) -> bool:
    """Take out all that comes before the entrance; whether the rest runs on what is handed in."""
    shape = entrance.shape
    if plan.grid.margin or plan.tile or plan.zoom != 1 or shape.prefix or not plan.taps:
        return False
    names = [event.name for event in trace(backbone, plan.probe).events]
    after = len(names) - names[::-1].index(entrance.module)
    for name in _outermost(set(names[:after]) - set(names[after:])):
        replace_module(backbone, name, Skipped())
    door = Entrance(shape)
    replace_module(backbone, entrance.module, door)
    door.feature = torch.empty(1, shape.channels, shape.height, shape.width, device="meta")
    runs = takes(backbone, plan, plan.probe)
    door.feature = None
    return runs


def _outermost(names: set[str]) -> list[str]:
    """Those of the modules that lie in no other of them."""
    return [
        name
        for name in names
        if not any(name.startswith(f"{other}.") for other in names if other != name)
    ]
