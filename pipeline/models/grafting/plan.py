"""The plan of a graft, from a dry run: where to tap a backbone and what input it can take."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from torch import nn

from pipeline.errors import ConfigError
from pipeline.models.grafting.dilation import dilate
from pipeline.models.grafting.grid import Grid, choose_left, measure_offsets
from pipeline.models.grafting.probe import Trace, trace
from pipeline.models.grafting.shapes import read_feature_shape, spatial_cells
from pipeline.models.grafting.taps import Tap, events_by_name, find_taps

LEVELS = (2, 4, 8, 16, 32)
# some networks end at 1/64; that feature is joined to the one at 1/32
BEYOND = 2 * LEVELS[-1]
_STEPS = (32, 64, 128, 224, 256, 448)
_LARGEST_MARGIN = 256


@dataclass(frozen=True)
class Plan:
    """The input and the taps of a backbone.

    taps: one for each of `levels`, the natural reductions that the network has, of LEVELS and
        BEYOND; a dilated stage keeps its level while its stride is smaller.
    step: images are padded to multiples of this many pixels.
    zoom: what the image is scaled by, so that the strides become powers of two (14 -> 16).
    probe: the size (H, W) of its dry runs.
    tile: whether it takes images of that size alone, so that larger ones are cut into tiles.
    """

    taps: tuple[Tap, ...]
    levels: tuple[int, ...]
    step: int
    zoom: Fraction
    grid: Grid
    probe: tuple[int, int]
    tile: bool

    @property
    def modules(self) -> list[str]:
        """The names of the tapped modules."""
        return [tap.module for tap in self.taps]

    def between(self, above: int, deepest: int) -> Plan:
        """The plan for the levels deeper than `above`, up to `deepest`."""
        kept = [i for i, level in enumerate(self.levels) if above < level <= deepest]
        return replace(
            self,
            taps=tuple(self.taps[i] for i in kept),
            levels=tuple(self.levels[i] for i in kept),
            grid=replace(self.grid, starts=tuple(self.grid.starts[i] for i in kept)),
        )

    def strides(self) -> list[int]:
        """Pixels of the image that a cell of each tap stands for."""
        return [int(tap.shape.stride / self.zoom) for tap in self.taps]


def plan_taps(backbone: nn.Module, traced: Trace, tile: bool = False) -> Plan:
    """The plan of a backbone, given its dry run; ConfigError when it has no usable maps."""
    found = find_taps(backbone, traced)
    if not found:
        raise ConfigError("the network has no feature maps")
    # the scale that most taps agree on; of equals, the deepest's
    zoom = max(map(_zoom, reversed(found)), key=lambda each: len(_at_levels(found, each)))
    at_level = _at_levels(found, zoom)
    if not at_level:
        raise ConfigError("the network has no activation between 1/2 and 1/32 of its input")
    levels, taps = tuple(at_level), tuple(at_level.values())
    exact = Grid(0, 0, (0,) * len(taps))
    plan = Plan(taps, levels, int(traced.size[0] / zoom), zoom, exact, traced.size, tile)
    return plan if tile else _fitted(backbone, plan, traced)


def _zoom(tap: Tap) -> Fraction:
    """The zoom that brings the tap's stride to a power of two."""
    return Fraction(tap.shape.stride, 2 ** round(math.log2(tap.shape.stride)))


def _at_levels(taps: Sequence[Tap], zoom: Fraction) -> dict[int, Tap]:
    """The taps that lie at one of LEVELS, or beyond, when the image is scaled by `zoom`."""
    at = {tap.shape.stride / zoom: tap for tap in taps}
    # what lies beyond is joined to the deepest level, so it needs one
    levels = (*LEVELS, BEYOND) if Fraction(LEVELS[-1]) in at else LEVELS
    return {level: at[Fraction(level)] for level in levels if Fraction(level) in at}


def dilated_plan(
    backbone: nn.Module,
    plan: Plan,
    output_stride: int,
    hybrid: bool = False,
    whole_stages: bool = False,
) -> Plan | None:
    """Dilate the stages beyond `output_stride` and plan again; None, undone, where it fails."""
    if plan.tile or plan.zoom != 1 or not {output_stride, 16, 32} <= set(plan.levels):
        return None
    undo = dilate(backbone, trace(backbone, plan.probe), output_stride, hybrid, whole_stages)
    try:
        traced = trace(backbone, plan.probe)
        events = events_by_name(traced)
        shapes = [read_feature_shape(events[name].shape, plan.probe) for name in plan.modules]
        taps = tuple(
            Tap(name, shape) for name, shape in zip(plan.modules, shapes, strict=True) if shape
        )
        dilated = replace(plan, taps=taps, grid=Grid(0, 0, (0,) * len(taps)))
        if dilated.strides() == [min(level, output_stride) for level in plan.levels]:
            return _fitted(backbone, dilated, traced)
    except Exception:  # a network may refuse to be dilated in every way there is
        pass
    undo()
    return None


def takes(backbone: nn.Module, plan: Plan, size: tuple[int, int]) -> bool:
    """True if the backbone runs on images of `size` (H, W), and its taps have the cells needed."""
    try:
        traced = trace(backbone, (size[0] + plan.grid.margin, size[1] + plan.grid.margin))
    except Exception:  # networks refuse sizes in every way there is
        return False
    return _cells_fit(traced, plan, size)


def _fitted(backbone: nn.Module, plan: Plan, traced: Trace) -> Plan:
    """The plan with a measured grid where maps do not halve exactly, and with its step."""
    if not _cells_fit(traced, plan, plan.probe):
        plan = _with_margin(backbone, plan)
    for step in (step for step in _STEPS if step % max(plan.levels) == 0):
        side = step * plan.zoom
        if side.denominator == 1 and all(
            takes(backbone, plan, (high * int(side), wide * int(side)))
            for high, wide in ((1, 2), (5, 3))
        ):
            return replace(plan, step=step)
    raise ConfigError(f"the network takes no input whose sides are multiples of {LEVELS[-1]}")


def _with_margin(backbone: nn.Module, plan: Plan) -> Plan:
    offsets = measure_offsets(backbone, plan.taps)
    left, starts = choose_left([tap.shape.stride for tap in plan.taps], offsets)
    for margin in range(left, _LARGEST_MARGIN, 4):
        padded = replace(plan, grid=Grid(left, margin, starts))
        if takes(backbone, padded, plan.probe):
            return padded
    raise ConfigError("the network's feature maps do not grow with its input")


def _cells_fit(traced: Trace, plan: Plan, size: tuple[int, int]) -> bool:
    """True if every tap has the cells that an image of `size` needs; exactly, without a margin."""
    events = events_by_name(traced)
    return all(
        _has_cells(events[tap.module].shape, tap, start, plan.grid.margin > 0, size)
        for tap, start in zip(plan.taps, plan.grid.starts, strict=True)
    )


def _has_cells(
    shape: tuple[int, ...], tap: Tap, start: int, spare: bool, size: tuple[int, int]
) -> bool:
    height, width = (start + side // tap.shape.stride for side in size)
    have = spatial_cells(shape, tap.shape)
    if tap.shape.layout == "tokens":
        return have == (height * width, 1)
    if spare:
        return have[0] >= height and have[1] >= width
    return have == (height, width)
