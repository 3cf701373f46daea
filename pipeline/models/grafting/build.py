"""From the name of a network to a graft of it, with its weights in place."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice, product

import torch
from torch import nn

from pipeline.errors import ConfigError
from pipeline.models.grafting.backbones import backbone_makers, native_size, says_fixed_size
from pipeline.models.grafting.channels import adapt_input
from pipeline.models.grafting.graft import Graft
from pipeline.models.grafting.loading import load_weights
from pipeline.models.grafting.plan import BEYOND, LEVELS, Plan, dilated_plan, plan_taps, takes
from pipeline.models.grafting.probe import PROBE_SIZES, Trace, features_forward, in_eval_mode, trace
from pipeline.models.grafting.prune import Unused, prune
from pipeline.models.grafting.weights import PRETRAINED, find_weights

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Wish:
    """The requirements for a backbone.

    weights, allow_partial: as in ModelSpec. in_channels: of one image.
    output_stride: the deepest stride; strict: an error where it cannot be had, else 32 will do.
    hybrid: dilated by the rates of hybrid dilated convolution. whole_stages: dilated from the first
    layer of a stage on.
    """

    weights: str | None = None
    allow_partial: bool = False
    in_channels: int = 3
    output_stride: int = LEVELS[-1]
    strict: bool = False
    hybrid: bool = False
    whole_stages: bool = False


@dataclass(frozen=True)
class _Layout:
    """What the dry runs of a network have shown, so that it is built again without them.

    attempts: how many of its makers were tried; the last one made a network that can be tapped.
    """

    attempts: int
    plan: Plan
    unused: Unused


# By name and deepest level; networks of timm alone, for a factory may be changed while we run.
known_layouts: dict[tuple[str, int], _Layout] = {}


def make_graft(name: str, wish: Wish) -> Graft:
    """A graft of the network called `name`; raises ConfigError where that cannot be."""
    return Graft(*prepare(name, wish))


def prepare(name: str, wish: Wish, deepest: int = BEYOND) -> tuple[nn.Module, Plan]:
    """The network called `name` down to level `deepest`, with its weights, and how to tap it."""
    layout = known_layouts.get((name, deepest))
    if layout is None:
        backbone, whole, layout = _explored(name, deepest)
    else:
        backbone, whole = _built_again(name, layout)
    plan = layout.plan
    # a factory of one's own gives its network as it wants it
    own = ":" in name and wish.weights == PRETRAINED
    if wish.weights is not None and not own:
        weights = find_weights(name, wish.weights)
        load_weights(backbone, weights, whole=whole, allow_partial=wish.allow_partial)
    if wish.output_stride < min(deepest, LEVELS[-1]):
        plan = _dilated(name, backbone, plan, wish)
    adapt_input(name, backbone, wish.in_channels)  # last: dry runs have three channels
    return backbone, plan


def _explored(name: str, deepest: int) -> tuple[nn.Module, frozenset[str], _Layout]:
    """The network down to level `deepest`, random; the keys of its whole state; its layout."""
    backbone, traced, plan, attempts = _tapped(name)
    plan = plan.between(0, deepest)
    whole = frozenset(backbone.state_dict())
    unused = prune(backbone, traced, plan.modules, lambda: takes(backbone, plan, plan.probe))
    layout = _Layout(attempts, plan, unused)
    if ":" not in name:
        known_layouts[name, deepest] = layout
    return backbone, whole, layout


def _built_again(name: str, layout: _Layout) -> tuple[nn.Module, frozenset[str]]:
    """As `_explored` has built it, after as many draws of random numbers."""
    *unusable, (make, _) = islice(_attempts(name), layout.attempts)
    for make_unusable, _ in unusable:
        with suppress(Exception):
            make_unusable()
    backbone = make()
    whole = frozenset(backbone.state_dict())
    layout.unused.take_out(backbone)
    return backbone, whole


def _attempts(name: str) -> Iterator[tuple[Callable[[], nn.Module], tuple[int, int] | None]]:
    """Makers of the network and the sizes of dry runs; None: its native size, for tiles."""
    makers = list(backbone_makers(name))
    yield from product(makers, PROBE_SIZES)
    yield makers[0], None


def _tapped(name: str) -> tuple[nn.Module, Trace, Plan, int]:
    """The network called `name`, random and whole; a dry run; the plan from that; the attempts.

    Networks of a fixed input size are given the images in tiles of that size, where timm has
    no way to let them see others.
    """
    reasons: list[str] = []
    for make, probe in _attempts(name):
        try:
            backbone = make()
            traced = trace(backbone, probe or native_size(backbone))
            plan = plan_taps(backbone, traced, tile=probe is None)
            if probe and says_fixed_size(backbone):
                _run(backbone, probe)
        except Exception as error:  # networks refuse options and sizes in every way there is
            reasons.append(_first_line(error))
        else:
            return backbone, traced, plan, len(reasons) + 1
    # of the network as it is, and of the last resort; what lies between repeats the first
    reason = "; ".join(dict.fromkeys([reasons[0], reasons[-1]]))
    raise ConfigError(f"encoder {name!r} cannot be grafted: {reason}")


def _run(backbone: nn.Module, size: tuple[int, int]) -> None:
    """Run for real: tables of positions that are too short for `size` show with values alone."""
    image = torch.zeros(1, 3, *size, device=next(backbone.parameters()).device)
    with torch.no_grad(), in_eval_mode(backbone):
        features_forward(backbone)(image)


def _dilated(name: str, backbone: nn.Module, plan: Plan, wish: Wish) -> Plan:
    dilated = dilated_plan(backbone, plan, wish.output_stride, wish.hybrid, wish.whole_stages)
    if dilated is None and wish.strict:
        raise ConfigError(
            f"encoder {name!r} cannot be dilated to output stride {wish.output_stride}; "
            f"set the model's `output_stride` to {LEVELS[-1]} or leave it out"
        )
    if dilated is None:
        _log.info("encoder %s cannot be dilated; its deepest stride is %d", name, LEVELS[-1])
    return dilated or plan


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
