"""Test-time augmentation: the views of an image that a model sees, and how maps come back.

A view is written as parts joined by `+`, done from left to right: `hflip`, `scale:1.25`,
`hflip+scale:1.25`. A group (`flips`, `d4`) stands for several views, also as a part:
`flips+scale:1.25` is four views. Nothing is implied: the plain image is seen where `identity` is.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from pipeline.errors import ConfigError
from pipeline.inference.view_steps import (
    GROUPS,
    PARAMETRISED,
    SYMMETRIES,
    Scale,
    Symmetry,
    ViewStep,
)
from pipeline.size import Size
from pipeline.suggestions import nearest_names

MOST_PARTS = 8
MOST_VIEWS = 64
"""Of one entry: d4+d4+d4+… would multiply to millions."""


@dataclass(frozen=True)
class View:
    """One way to look at an image: steps done in order, undone in reverse."""

    name: str
    steps: tuple[ViewStep, ...]

    def apply(self, images: Tensor) -> Tensor:
        """NCHW float images in 0..1 -> NCHW of `output_size`, in 0..1."""
        for step in self.steps:
            images = step.apply(images)
        return images

    def undo(self, maps: Tensor, size: Size) -> Tensor:
        """NCHW probability maps of the view -> NCHW at the image's own (H, W)."""
        sizes = [size]
        for step in self.steps[:-1]:
            sizes.append(step.output_size(sizes[-1]))
        for step, size_before in zip(reversed(self.steps), reversed(sizes), strict=True):
            maps = step.undo(maps, size_before)
        return maps

    def output_size(self, size: Size) -> Size:
        """(H, W) of an image -> (H, W) of its view."""
        for step in self.steps:
            size = step.output_size(size)
        return size


def parse_tta(names: Sequence[str]) -> tuple[View, ...]:
    """The views of a YAML list, in its order, groups spelled out.

    Raises ConfigError for an empty list, an unknown name, a value out of range, and for two views
    that are one (`rot180` and `hflip+vflip`), because that would double its weight in the mean.
    """
    if not names:
        raise ConfigError("tta: the list is empty; write [identity] for the plain image alone")
    views = [view for name in names for view in _expand(name)]
    seen: dict[object, str] = {}
    for view in views:
        effect = _effect(view)
        if effect in seen:
            raise ConfigError(
                f"tta: '{view.name}' is the same view as '{seen[effect]}' and would count twice; "
                "remove one of them"
            )
        seen[effect] = view.name
    return tuple(views)


def group_by_shape(views: Sequence[View], size: Size) -> list[list[View]]:
    """Views of an (H, W) image whose outputs have one shape, so can share a batch; in order."""
    groups: dict[Size, list[View]] = {}
    for view in views:
        groups.setdefault(view.output_size(size), []).append(view)
    return list(groups.values())


def _expand(name: str) -> list[View]:
    """All views that one entry of the list stands for."""
    pieces = name.split("+")
    if len(pieces) > MOST_PARTS:
        raise ConfigError(
            f"tta: '{name[:60]}…' has {len(pieces)} parts; at most {MOST_PARTS} are allowed"
        )
    parts = [_alternatives(part.strip(), name) for part in pieces]
    if math.prod(map(len, parts)) > MOST_VIEWS:
        raise ConfigError(f"tta: '{name}' expands to more than {MOST_VIEWS} views")
    return [View("+".join(chosen), _steps(chosen, name)) for chosen in itertools.product(*parts)]


def _steps(parts: Sequence[str], entry: str) -> tuple[ViewStep, ...]:
    """The steps of one view; several scales must not leave together what one may be."""
    steps = tuple(_step(part, entry) for part in parts)
    factor = math.prod(each.factor for each in steps if isinstance(each, Scale))
    bounds = PARAMETRISED["scale"]
    if not bounds.low <= factor <= bounds.high:
        raise ConfigError(
            f"tta: '{entry}' scales by {factor:g} in total, outside the supported range "
            f"{bounds.low:g} to {bounds.high:g}"
        )
    return steps


def _alternatives(part: str, entry: str) -> tuple[str, ...]:
    if part in GROUPS:
        return GROUPS[part]
    _step(part, entry)
    return (part,)


def _step(part: str, entry: str) -> ViewStep:
    if part in SYMMETRIES:
        return SYMMETRIES[part]
    name, colon, value = part.partition(":")
    if name not in PARAMETRISED or not colon:
        raise ConfigError(_unknown(part, entry))
    kind = PARAMETRISED[name]
    try:
        amount = float(value)
    except ValueError:
        amount = float("nan")
    if not kind.low <= amount <= kind.high or amount == kind.neutral:
        raise ConfigError(
            f"tta: '{part}' in '{entry}': the value of {name} must be a number from {kind.low:g} "
            f"to {kind.high:g}, other than {kind.neutral:g} (which changes nothing)"
        )
    return kind.make(amount)


def _unknown(part: str, entry: str) -> str:
    examples = {name: f"{name}:{kind.example:g}" for name, kind in PARAMETRISED.items()}
    known = [*SYMMETRIES, *GROUPS, *examples]
    (close,) = nearest_names(part.partition(":")[0], known, 1)
    return (
        f"tta: '{part}' in '{entry}' is not a transform; did you mean "
        f"'{examples.get(close, close)}'? Known: {', '.join(examples.get(n, n) for n in known)}"
    )


def _effect(view: View) -> object:
    """The effect of a view, independent of its name: its element of D4 and its other steps."""
    # Four different corners tell all eight symmetries apart, and these commute with the rest.
    corners = torch.arange(4.0).reshape(1, 1, 2, 2)
    rest = []
    for step in view.steps:
        if isinstance(step, Symmetry):
            corners = step.apply(corners)
        else:
            rest.append(step)
    return (*corners.flatten().tolist(), *rest)
